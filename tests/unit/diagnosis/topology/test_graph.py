"""Does the graph join what several sources say, and link loops only where they meet?"""

import pytest

from flyball.diagnosis.topology.graph import (
    Effect,
    LoopGraph,
    Quota,
    Wiring,
    member_of,
    member_of_foreign,
    merge,
    overlap,
)
from flyball.model.loop import ForeignLoop, Loop
from support.loops import effect, graph, loop


def test_a_declared_loop_reads_the_words_of_its_sensor() -> None:
    declared = Loop(
        name="x", sensor="watts; demand, queue", actuator="u", objective="o", period_s=5.0
    )
    member = member_of(declared, "pool-a", guard=3.0)
    assert [one.signal for one in member.reads] == ["watts", "demand", "queue"]
    assert member.limit_high is None and member.is_acting and member.guard == 3.0
    assert (member.scope, member.seen) == ("pool-a", ("registry",))


def test_a_foreign_loop_is_known_by_what_it_moves() -> None:
    member = member_of_foreign(ForeignLoop(name="hpa", law="hpa", actuator="pool.replicas"))
    assert (member.actuator, member.reads, member.period_s) == ("pool.replicas", (), 15.0)


def test_two_sources_of_one_loop_make_one_with_both_named() -> None:
    first = LoopGraph(members=(loop("a", period_s=0.0, seen=("one",)),))
    second = LoopGraph(members=(loop("a", period_s=7.0, objective="o", seen=("two",)),))
    (member,) = merge([first, second]).members
    assert (member.period_s, member.objective, member.seen) == (7.0, "o", ("one", "two"))


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_measured_effect_goes_before_a_declared_one(is_reversed: bool) -> None:
    declared = LoopGraph(effects=(Effect(actuator="u", signal="y", gain=1.0, seen=("file",)),))
    measured = LoopGraph(
        effects=(Effect(actuator="u", signal="y", gain=0.3, is_measured=True, seen=("probe",)),)
    )
    some = [declared, measured]
    (one,) = merge(some[::-1] if is_reversed else some).effects
    assert (one.gain, one.reference, one.is_measured) == (0.3, 1.0, True)
    assert set(one.seen) == {"file", "probe"}


def test_a_sign_from_one_source_joins_a_gain_from_another() -> None:
    known = LoopGraph(effects=(Effect(actuator="u", signal="y", sign=-1),))
    told = LoopGraph(effects=(Effect(actuator="u", signal="y", gain=-0.5),))
    (one,) = merge([known, told]).effects
    assert (one.gain, one.way) == (-0.5, -1)


def test_quotas_join_and_too_many_loops_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = [LoopGraph(quotas=(Quota(name="q", limit=3.0, unit=unit),)) for unit in ("", "GPU")]
    assert merge(quotas).quotas == (Quota(name="q", limit=3.0, unit="GPU"),)
    monkeypatch.setattr("flyball.diagnosis.topology.graph.LOOPS_MAX", 1)
    with pytest.raises(ValueError, match="at most 1"):
        merge([graph(loop("a"), loop("b"))])


def test_links_follow_actuators_to_readers_in_scopes_that_meet() -> None:
    wiring = Wiring(
        graph(
            loop("a", scope="east"), loop("b"), loop("c", scope="west"),
            effect("a", "b"), effect("a", "c"),
        )
    )  # fmt: skip
    names = {
        (wiring.members[link.source].name, wiring.members[link.target].name)
        for link in wiring.links
    }
    assert names == {("a", "a"), ("b", "b"), ("c", "c"), ("a", "b")}
    assert wiring.neighbours() == [[1], [], []]
    assert [link.sign for link in wiring.between(0, 1)] == [-1]


def test_who_only_recommends_is_not_wired() -> None:
    wiring = Wiring(graph(loop("a", is_acting=False), loop("b"), effect("a", "b")))
    assert [one.name for one in wiring.members] == ["b"]


def test_scopes() -> None:
    assert overlap("", "a") and overlap("a", "") and overlap("a", "a") and not overlap("a", "b")
