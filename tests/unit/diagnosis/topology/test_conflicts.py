"""Does each pairwise rule find its conflict, with its number, and leave the near miss alone?"""

from typing import Any

import pytest

from flyball.diagnosis.finding import Finding
from flyball.diagnosis.topology import conflicts
from flyball.diagnosis.topology.graph import Effect, LoopGraph, Member, Quota, Reading, Wiring
from support.loops import effect, graph, loop


def told(rule: Any, *parts: Member | Effect) -> list[Finding]:
    return list(rule(Wiring(graph(*parts)), 1.0))


def test_two_loops_on_one_actuator() -> None:
    quick, slow = loop("a", actuator="u", period_s=5.0), loop("b", actuator="u", period_s=50.0)
    (found,) = told(conflicts.direct, slow, quick)
    assert (found.code, found.loops, found.actuators) == ("FB-101", ("a", "b"), ("u",))
    assert [one.value for one in found.evidence] == [2.0, 720.0, 72.0]


@pytest.mark.parametrize(
    "other",
    [
        {"scope": "west"},
        {"is_acting": False},
        {"actuator": "v"},
    ],
)
def test_no_direct_conflict_without_a_shared_place(other: dict[str, Any]) -> None:
    second = loop("b", **({"actuator": "u"} | other))
    assert not told(conflicts.direct, loop("a", actuator="u", scope="east"), second)


def wishing(name: str, **fields: Any) -> Member:
    """A loop that also wants something of signal `kpi`."""
    one = loop(name)
    return Member(
        name=name,
        actuator=one.actuator,
        period_s=10.0,
        reads=(*one.reads, Reading(signal="kpi", **fields)),
    )


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        ({"wants": 1}, {"wants": -1}, -1.0),
        ({"wants": 1}, {"wants": 1}, None),
        ({"target": 10.0}, {"target": 12.0}, 2.0),
        ({"target": 10.0}, {"target": 11.0}, None),
        ({"target": 10.0, "band": 0.2}, {"target": 12.0}, None),
        ({"wants": 1}, {"target": 12.0}, None),
    ],
)
def test_one_signal_wanted_in_two_places(first: Any, second: Any, number: float | None) -> None:
    effects = [Effect(actuator=f"u.{name}", signal="kpi", gain=0.5) for name in "ab"]
    found = told(conflicts.indirect, wishing("a", **first), wishing("b", **second), *effects)
    assert [one.evidence[0].value for one in found] == ([] if number is None else [number])
    assert all(one.code == "FB-103" for one in found)


def test_a_signal_that_only_one_of_them_moves_is_no_conflict() -> None:
    effects = [Effect(actuator="u.a", signal="kpi", gain=0.5)]
    some = wishing("a", wants=1), wishing("b", wants=-1)
    assert not told(conflicts.indirect, *some, *effects)


def coupled(ratio: float, kappa: float | None, **fields: Any) -> list[Finding]:
    there = effect("b", "a", kappa, sign=1)
    return [
        one
        for one in told(
            conflicts.temporal,
            loop("a", period_s=10.0, **fields),
            loop("b", period_s=10.0 * ratio, **fields),
            effect("a", "b", 1.0),
            there,
        )
        if one.code == "FB-105"
    ]


def test_coupled_loops_at_one_pace() -> None:
    (found,) = coupled(2.0, 0.3)
    assert found.loops == ("b", "a"), "the slower one is to be slowed"
    assert [round(one.value, 3) for one in found.evidence] == [2.0, 0.3]
    assert not coupled(3.0, 0.3)
    assert not coupled(2.0, 0.05)


def test_a_coupling_that_is_not_known_is_said_with_less_confidence() -> None:
    (found,) = coupled(2.0, None)
    assert found.confidence < 0.7 and len(found.evidence) == 1
    assert not coupled(2.0, None, guard=3.0), "capped loops are safe whatever the plant"


@pytest.mark.parametrize(
    ("delay_s", "gain", "code"),
    [
        (30.0, 0.2, "FB-106"),  # d = 3: critical 0.445, margin 2.2
        (30.0, 0.1, None),  # margin 4.5
        (30.0, 0.6, "FB-113"),
        (2.0, 1.0, None),  # early enough, margin above 1
        (2.0, 3.0, "FB-113"),
        (3.4, 0.9, "FB-106"),
        (30.0, None, "FB-106"),
    ],
)
def test_late_loops(delay_s: float, gain: float | None, code: str | None) -> None:
    found = told(conflicts.temporal, loop("a", gain=gain, delay_s=delay_s))
    assert [one.code for one in found] == ([] if code is None else [code])
    assert all(one.evidence[0].what for one in found)


def test_the_delay_of_the_plant_counts_and_a_guard_excuses() -> None:
    late = effect("a", "a", 1.0, delay_s=30.0)
    assert told(conflicts.temporal, loop("a", gain=0.2), late)[0].code == "FB-106"
    assert not told(conflicts.temporal, loop("a", gain=0.2, guard=3.0), late)


@pytest.mark.parametrize(
    ("sensor", "truth", "is_found"),
    [(-0.5, 0.8, True), (0.5, 0.8, False), (-0.5, 0.0, True), (-0.01, 0.8, False)],
)
def test_a_sensor_that_reads_the_wrong_way(sensor: float, truth: float, is_found: bool) -> None:
    reader = loop("a", stands_for="demand")
    actual = Effect(actuator="u.b", signal="demand", gain=truth)
    found = told(conflicts.signal, reader, loop("b"), effect("b", "a", sensor), actual)
    assert [(one.code, one.loops) for one in found] == [("FB-110", ("a", "b"))] * is_found
    if is_found:
        assert [one.value for one in found[0].evidence] == [sensor, truth]


def test_a_sensor_whose_truth_is_not_known_is_not_judged() -> None:
    reader = loop("a", stands_for="demand")
    assert not told(conflicts.signal, reader, loop("b"), effect("b", "a", -0.5))


@pytest.mark.parametrize(
    ("claims", "arbiter", "limit", "is_found"),
    [
        ((30.0, 40.0), "", 60.0, True),
        ((30.0, 30.0), "", 60.0, False),
        ((30.0, 40.0), "prices", 60.0, False),
        ((30.0,), "", 10.0, False),
        ((None, 5.0), "", 60.0, True),
    ],
)
def test_one_quota_and_several_spenders(
    claims: tuple[float | None, ...], arbiter: str, limit: float, is_found: bool
) -> None:
    members = tuple(
        loop(f"l{number}", spends="q", claim=claim) for number, claim in enumerate(claims)
    )
    quota = Quota(name="q", limit=limit, arbiter=arbiter)
    found = list(conflicts.budget(Wiring(LoopGraph(members=members, quotas=(quota,))), 0.0))
    assert [one.code for one in found] == ["FB-111"] * is_found
    if is_found and None not in claims:
        assert found[0].loops[0] == "l1", "the one who claims most comes first"
        assert found[0].evidence[1].value == 70.0 and found[0].evidence[1].limit == 60.0


def test_confidence_is_that_of_the_weakest_effect() -> None:
    measured = Effect(actuator="u", signal="y", gain=1.0, is_measured=True)
    declared = Effect(actuator="u", signal="y", gain=1.0)
    signed = Effect(actuator="u", signal="y", sign=1)
    some = [conflicts.confidence_in(*those) for those in ((measured,), (measured, declared))]
    assert some[0] > some[1] > conflicts.confidence_in(declared, signed)
