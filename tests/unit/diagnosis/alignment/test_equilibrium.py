"""Do loops settle where theory says, and is the coherence ratio that of the textbook?"""

import numpy as np
import pytest

from flyball.diagnosis.alignment.equilibrium import Outcome, TooManyCalls, coherence, incoherent

LOW, HIGH = np.zeros(2), np.full(2, 10.0)


def cournot(at: np.ndarray) -> Outcome:
    """Two sellers: each settles at 10 / 3, together they earn 8 / 9 of what one would."""
    price = 10.0 - at.sum()
    return Outcome(costs=-at * price, value=float((at * price).sum()))


def test_two_sellers_settle_at_the_textbooks_place() -> None:
    found = coherence(cournot, LOW, HIGH, (0, 1))
    assert found.settled == pytest.approx([10 / 3, 10 / 3], abs=0.02)
    assert found.best.sum() == pytest.approx(5.0, abs=0.02)
    assert found.ratio == pytest.approx(8 / 9, abs=2e-3)
    assert found.is_settled and found.places == 1


def test_pigou_two_roads() -> None:
    """Selfish traffic all takes the road that slows with use; the optimum splits it in half: the
    delays are as 1 to 3 / 4, and the values, a day of 2 less the delay, as 1 to 1.25."""

    def world(at: np.ndarray) -> Outcome:
        share = float(at[0])
        # Wardrop's rest is the least of the integral of the delay (Beckmann 1956).
        return Outcome(
            costs=np.array([share**2 / 2.0 + (1.0 - share)]),
            value=2.0 - (share * share + (1.0 - share)),
        )

    found = coherence(world, np.zeros(1), np.ones(1), (0,))
    assert found.settled[0] == pytest.approx(1.0, abs=1e-2)
    assert found.best[0] == pytest.approx(0.5, abs=1e-2)
    assert found.ratio == pytest.approx(0.8, abs=5e-3)


def test_loops_that_share_one_objective_lose_nothing() -> None:
    def world(at: np.ndarray) -> Outcome:
        value = 5.0 - float(((at - 3.0) ** 2).sum() + 0.5 * (at[0] - 3.0) * (at[1] - 3.0))
        return Outcome(costs=np.array([-value, -value]), value=value)

    found = coherence(world, LOW, HIGH, (0, 1))
    assert found.ratio == pytest.approx(1.0, abs=1e-4)
    assert incoherent(found, ("a", "b"), ("u", "v")) is None


def test_several_resting_places_are_counted_and_the_worst_is_told() -> None:
    """Both choose the same side, and one side is worth more."""

    def world(at: np.ndarray) -> Outcome:
        gap = (at[0] - at[1]) ** 2
        bonus = 0.2 * at.sum()
        return Outcome(costs=np.array([gap, gap]), value=float(10.0 + bonus - gap))

    found = coherence(world, LOW, HIGH, (0, 1))
    assert found.places >= 3
    assert found.settled_value == pytest.approx(10.0, abs=0.1)
    assert found.best_value == pytest.approx(14.0, abs=0.1)


def test_loops_that_chase_each_other_do_not_settle() -> None:
    """Matching pennies: one wants to be where the other is, who wants to be elsewhere."""

    def world(at: np.ndarray) -> Outcome:
        gap = (at[0] - at[1]) ** 2
        return Outcome(costs=np.array([gap, -gap]), value=100.0 - float(gap))

    assert not coherence(world, LOW, HIGH, (0, 1), tolerance=0.02).is_settled


def test_the_loss_is_a_finding_with_its_price() -> None:
    found = incoherent(coherence(cournot, LOW, HIGH, (0, 1)), ("a", "b"), ("u", "v"), 7.0, 2.0)
    assert found is not None and found.code == "FB-204"
    assert found.evidence[0].value == pytest.approx(8 / 9, abs=2e-3)
    assert found.cost_usd_per_h == pytest.approx(2.0 * (25.0 - 200.0 / 9.0), abs=0.05)
    assert len(found.evidence) == 8


def test_calls_are_bounded_and_limits_checked() -> None:
    with pytest.raises(TooManyCalls, match="20 times"):
        coherence(cournot, LOW, HIGH, (0, 1), calls_max=20)
    with pytest.raises(ValueError, match="finite"):
        coherence(cournot, LOW, np.full(2, np.inf), (0, 1))
    with pytest.raises(ValueError, match="in order"):
        coherence(cournot, HIGH, LOW, (0, 1))
