"""Are turned gains, retries that feed on themselves and short triggers told, and only those?"""

import numpy as np
import pytest

from flyball.diagnosis.margins import fluid, interaction, vulnerable
from flyball.diagnosis.margins.whatif import settle, trigger

SEED = 83


def drawn(knobs: dict[str, float], draws: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """States of rest and theta: these knobs, then draws of the load within 0.1 %. Followed from
    the nominal rest in steps, as near a cliff it is found from nearby only."""
    print(f"seed {SEED}")
    chance = np.random.default_rng(SEED)
    factors = np.concatenate([[1.0], np.exp(0.001 * chance.normal(size=draws))])
    theta = fluid.theta({}, 1 + draws)
    rest, found = fluid.start(theta), np.zeros(1)
    for share in np.linspace(0.0, 1.0, 6):
        between = {
            name: fluid.NOMINAL[name] + share * (value - fluid.NOMINAL[name])
            for name, value in knobs.items()
        }
        theta = fluid.theta(between, 1 + draws)
        theta[fluid.KNOBS.index("load")] *= factors
        rest, found = settle(fluid.TWIN, rest, theta)
    assert found.all()
    return rest, theta


def commissioned() -> np.ndarray:
    theta = fluid.theta()
    return interaction.static_gains(theta, fluid.start(theta))


def test_the_nominal_fleet_is_left_in_peace() -> None:
    rest, theta = drawn({})
    assert vulnerable.findings(rest, theta, commissioned()) == ()
    assert (vulnerable.retry_gains(rest, theta) < 0.1).all()


def test_the_trigger_is_the_longest_spike_that_is_borne() -> None:
    rest, theta = drawn({}, 0)
    found = vulnerable.trigger_margin(rest, theta)
    assert found is not None and found.low == found.value == found.high
    for lasts, is_borne in ((found.value - 1.5, True), (found.value + 1.5, False)):
        spike = np.array([lasts])
        assert trigger(fluid.TWIN, rest, theta, vulnerable.SPIKE, spike)[0] == is_borne


def test_impatient_clients_shorten_the_trigger_until_it_is_told() -> None:
    rest, theta = drawn({"patience": 9.0, "patience_width": 0.8})
    found = vulnerable.trigger_margin(rest, theta)
    assert found is not None and found.low <= found.value < vulnerable.TRIGGER_MIN_S
    told = {one.code: one for one in vulnerable.findings(rest, theta, commissioned(), 7.0)}
    one = told["FB-507"]
    assert one.at == 7.0 and one.loops[0] == "retry"
    assert one.evidence[0].value == found.value and one.evidence[0].limit == 30.0


def test_a_fleet_that_is_down_has_no_trigger() -> None:
    rest, theta = drawn({}, 0)
    rest[fluid.KEPT] = 0.05
    assert vulnerable.trigger_margin(rest, theta) is None


def test_retry_gain_counts_the_slope_of_lateness() -> None:
    """Without impatience l is the share that fails for its context, tried again."""
    calm = drawn({}, 0)
    by_cut = 0.8 * float(fluid.fail_ratio(calm[0][fluid.KEPT], calm[1])[0])
    assert vulnerable.retry_gains(*calm)[0] == pytest.approx(by_cut, rel=0.02)
    late = drawn({"patience": 7.0, "patience_width": 0.5}, 0)
    failing = 0.8 * float(fluid.harm(*late)[0])
    assert vulnerable.retry_gains(*late)[0] > 5 * failing


def test_retries_that_feed_on_themselves_are_told() -> None:
    rest, theta = drawn({"patience": 6.5, "patience_width": 0.5})
    gains = vulnerable.retry_gains(rest, theta)
    told = vulnerable.findings(rest, theta, commissioned())
    (one,) = [each for each in told if each.code == "FB-510"]
    assert one.evidence[0].value == pytest.approx(gains[0]) and one.loops == ("retry",)
    assert 0.5 < one.evidence[0].value < 1.0


def test_a_turned_gain_names_its_loops() -> None:
    rest, theta = drawn({}, 0)
    turned = commissioned() * np.array([[1.0], [-1.0], [1.0]])
    (one,) = vulnerable.findings(rest, theta, turned)
    assert one.code == "FB-506" and one.loops == ("router",)
    assert one.evidence[0].value == pytest.approx(-1.0, rel=0.01)
    assert one.next_step == "flyball hold router"


def test_a_fold_fades_the_cost_gain() -> None:
    """Near the budget's edge what is cut comes back: published 0.533 -> 0.253 -> 0."""
    rest, theta = drawn({"budget": 32.8}, 0)
    told = vulnerable.findings(rest, theta, commissioned())
    one = next(one for one in told if one.code == "FB-506")
    assert one.loops == ("cost",) and one.evidence[0].value < interaction.FADED


def test_groups_that_turn_each_other_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plant never does so by itself; a matrix with a wrong pairing stands in for its gains."""
    crossed = np.array([[[1.0, 4.0, 0.0], [4.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    monkeypatch.setattr(interaction, "gains_of_each", lambda *_: crossed)
    rest, theta = drawn({}, 0)
    (one,) = vulnerable.findings(rest, theta, crossed[0])
    assert one.code == "FB-506" and one.loops == ("cost", "router")
    assert one.evidence[0].value < 0.0 and one.evidence[0].limit == 0.0
