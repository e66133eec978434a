"""Are turned gains, growing cycles and limits that bite found where the mathematics says so?"""

import numpy as np
import pytest

from flyball.diagnosis.finding import Finding
from flyball.diagnosis.topology import interplay
from flyball.diagnosis.topology.graph import Effect, Member, Wiring
from support.loops import effect, graph, loop

Part = Member | Effect


def whole(*parts: Part) -> interplay.Interplay:
    return interplay.Interplay(Wiring(graph(*parts)))


def pair(kappa: float, **first: float) -> tuple[Part, ...]:
    return (
        loop("a", gain=0.05, **first), loop("b", gain=0.05, period_s=50.0),
        effect("a", "b", 1.0), effect("b", "a", kappa),
    )  # fmt: skip


def test_the_published_relative_gains() -> None:
    """Three loops of the research plant: diagonal 1.00 / 1.86 / 1.86: kappa = 1 - 1 / 1.86."""
    some = whole(loop("c"), *pair(1.0 - 1.0 / 1.86))
    (group,) = some.groups
    gains = some.relative[tuple(group)]
    assert gains is not None
    assert np.diagonal(gains) == pytest.approx([1.86, 1.86])
    assert gains.sum(axis=0) == pytest.approx([1.0, 1.0]), "rows and columns sum to 1"


@pytest.mark.parametrize(
    ("gain", "reference", "value"),
    [(0.25, 0.533, 0.469), (0.377, 0.533, None), (0.0, 0.533, 0.0), (-0.2, 0.533, -0.375)],
)
def test_a_gain_that_fades_on_the_way_to_the_fold(
    gain: float, reference: float, value: float | None
) -> None:
    """The research plant's spend per context: 0.533, 0.485, 0.377, 0.253, 0."""
    faded = effect("a", "a", gain, reference=reference)
    found = list(interplay.sign(whole(loop("a"), faded), 0.0))
    assert [one.code for one in found] == ([] if value is None else ["FB-107"])
    if value is not None:
        assert found[0].evidence[0].value == pytest.approx(value, abs=1e-3)


def test_a_loop_that_pushes_the_wrong_way_by_sign_alone() -> None:
    wrong = loop("a", sign=1, gain=None)
    (found,) = interplay.sign(whole(wrong, effect("a", "a", None, sign=1)), 0.0)
    assert found.code == "FB-107" and found.evidence[0].value == 1.0
    assert not list(interplay.sign(whole(wrong, effect("a", "a", None, sign=-1)), 0.0))


def test_an_interval_over_the_limit_lowers_the_confidence() -> None:
    sure, unsure = (
        effect("a", "a", 0.4, reference=1.0, low=0.3, high=high, is_measured=True)
        for high in (0.45, 0.6)
    )
    (one,), (other,) = (
        list(interplay.sign(whole(loop("a"), part), 0.0)) for part in (sure, unsure)
    )
    assert one.confidence > 0.9 > other.confidence
    assert (other.evidence[0].low, other.evidence[0].high) == (0.3, 0.6)


def test_a_gain_that_turns_when_loops_close() -> None:
    (found,) = interplay.sign(whole(*pair(2.0)), 0.0)
    assert found.code == "FB-108" and set(found.loops) == {"a", "b"}
    assert found.evidence[0].value == pytest.approx(-1.0)
    assert not list(interplay.sign(whole(*pair(0.5)), 0.0))


def cycles(*parts: Part) -> list[Finding]:
    return list(interplay.implicit(whole(*parts), 0.0))


def test_loops_stable_alone_and_not_together() -> None:
    both = [loop(name, gain=0.8) for name in "ab"]
    (found,) = cycles(*both, effect("a", "b", 2.0), effect("b", "a", -3.0))
    assert found.code == "FB-104" and set(found.loops) == {"a", "b"}
    together, alone, count = (one.value for one in found.evidence)
    assert together < 1.0 < alone and count == 2.0
    assert alone == pytest.approx(2.5)
    quiet = [loop(name, gain=0.05) for name in "ab"]
    assert not cycles(*quiet, effect("a", "b", 2.0), effect("b", "a", -3.0))


def test_a_loop_unstable_alone_or_a_turned_gain_is_another_kind() -> None:
    wild = [loop(name, gain=2.5) for name in "ab"]
    assert not cycles(*wild, effect("a", "b", 2.0), effect("b", "a", -3.0))
    assert not cycles(*pair(2.0))


def test_of_cycles_in_each_other_the_smallest_growing_one_is_told() -> None:
    three = [loop(name, gain=0.8) for name in "abc"]
    links = [effect("a", "b", 2.0), effect("b", "a", -3.0), effect("b", "c"), effect("c", "a", 0.3)]
    (found,) = cycles(*three, *links)
    assert set(found.loops) == {"a", "b"}


def test_a_cycle_known_by_signs_alone() -> None:
    signed = effect("b", "a", None, sign=1)
    (found,) = cycles(loop("a"), loop("b", delay_s=5.0), effect("a", "b"), signed)
    assert found.code == "FB-112"
    assert [one.value for one in found.evidence] == [1.0, 1.0, 25.0]
    against = effect("b", "a", None, sign=-1)
    assert not cycles(loop("a"), loop("b"), effect("a", "b"), against)
    assert not cycles(loop("a", guard=3.0), loop("b", guard=3.0), effect("a", "b"), signed)


def limits(kappa: float, value: float) -> list[Finding]:
    fields = {"limit_low": 0.0, "limit_high": 100.0, "value": value}
    return list(interplay.saturation(whole(*pair(kappa, **fields)), 0.0))


@pytest.mark.parametrize(
    ("kappa", "value", "is_found"),
    [
        (0.46, 100.0, True),
        (0.46, 99.0, True),
        (0.46, 1.0, True),
        (0.46, 50.0, False),
        (0.2, 100.0, False),
        (-1.0, 100.0, False),
    ],
)
def test_a_limit_that_changes_anothers_gain(kappa: float, value: float, is_found: bool) -> None:
    found = limits(kappa, value)
    assert [(one.code, one.loops) for one in found] == [("FB-109", ("a", "b"))] * is_found
    if is_found:
        assert found[0].evidence[1].value == pytest.approx(1.0 / (1.0 - kappa))


def test_a_limit_with_gains_unknown_is_said_with_less_confidence() -> None:
    some = whole(
        loop("a", limit_high=5.0, value=5.0), loop("b"),
        effect("a", "a", None, sign=1), effect("a", "b", None, sign=1),
        effect("b", "a", None, sign=1),
    )  # fmt: skip
    (found,) = interplay.saturation(some, 0.0)
    assert found.confidence < 0.7 and found.evidence[0].limit == 5.0


def test_loops_around_their_plant_keep_their_further_readings() -> None:
    member = loop("a")
    twice = Member(
        name="a", actuator="u.a", period_s=10.0,
        reads=(*member.reads, loop("x", signal="y.b", sign=1, gain=0.3).reads[0]),
    )  # fmt: skip
    closed = interplay.closed_loops(Wiring(graph(twice, loop("b"), effect("a", "b"))), [0, 1])
    assert closed is not None
    assert closed.plant.shape == (3, 2) and closed.responses.shape == (2, 3)
    assert closed.responses.tolist() == [[-0.1, 0.0, 0.3], [0.0, -0.1, 0.0]]
    unknown = graph(twice, loop("b", gain=None), effect("a", "b"))
    assert interplay.closed_loops(Wiring(unknown), [0, 1]) is None
