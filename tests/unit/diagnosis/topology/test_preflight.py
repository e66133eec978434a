"""Does a change show what it would bring, take away and make worse, before it is applied?"""

import msgspec
import pytest

from flyball.diagnosis.topology.graph import Effect, LoopGraph, Quota
from flyball.diagnosis.topology.preflight import Change, changed, difference
from flyball.diagnosis.topology.topology import topology
from support.loops import effect, graph, loop


def test_a_gain_too_high_shows_before_it_is_applied() -> None:
    """The research plant: an autoscaler's exponent beyond its critical value."""
    now = graph(loop("a", gain=0.1, delay_s=30.0))
    reading = msgspec.structs.replace(now.members[0].reads[0], gain=0.6)
    change = Change(loops={"a": {"reads": (reading,)}})
    result = difference(topology(now), topology(changed(now, change)))
    assert [one.code for one in result.new] == ["FB-113"]
    assert result.gone == () == result.kept


def test_what_a_change_mends_is_gone() -> None:
    now = graph(loop("a", actuator="u"), loop("b", actuator="u"))
    result = difference(topology(now), topology(changed(now, Change(remove=("b",)))))
    assert [one.code for one in result.gone] == ["FB-101"] and result.new == ()


def test_a_loop_may_come_and_an_effect_turn() -> None:
    now = graph(loop("a"))
    after = changed(
        now,
        Change(add=(loop("b", actuator="u.a"),), effects=(effect("a", "a", -0.5),)),
    )
    assert [one.name for one in after.members] == ["a", "b"]
    (own,) = after.effects
    assert (own.gain, own.reference) == (-0.5, 1.0), "what was is what it is held against"
    assert {one.code for one in topology(after)} == {"FB-101", "FB-107"}


def test_what_stays_and_gets_worse_is_said() -> None:
    def spending(limit: float) -> LoopGraph:
        members = tuple(loop(name, spends="q", claim=50.0) for name in "ab")
        return LoopGraph(members=members, quotas=(Quota(name="q", limit=limit),))

    now = spending(90.0)
    worse = changed(now, Change(loops={"a": {"claim": 90.0}}))
    result = difference(topology(now), topology(worse))
    assert [one.code for one in result.kept] == ["FB-111"] == [one.code for one in result.worse]
    mended = changed(now, Change(quotas={"q": {"limit": 100.0}}))
    assert [one.code for one in difference(topology(now), topology(mended)).gone] == ["FB-111"]
    less = changed(now, Change(loops={"a": {"claim": 45.0}}))
    assert difference(topology(now), topology(less)).worse == ()


def test_names_that_there_are_not() -> None:
    now = graph(loop("a"))
    for change in (Change(loops={"x": {}}), Change(remove=("x",)), Change(quotas={"x": {}})):
        with pytest.raises(KeyError, match="x"):
            changed(now, change)
    assert changed(now, Change(effects=(Effect(actuator="n", signal="m", gain=1.0),))).effects[1:]
