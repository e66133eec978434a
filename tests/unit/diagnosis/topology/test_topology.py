"""Is each conflict told once, by its root, and does an innocent fleet stay silent?"""

from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.topology.graph import LoopGraph
from flyball.diagnosis.topology.topology import topology
from support.loops import effect, graph, loop


def test_a_fleet_without_conflicts_is_silent() -> None:
    apart = graph(loop("a"), loop("b", period_s=60.0), loop("c"), effect("a", "c", 0.5))
    assert topology(apart) == [] == topology(LoopGraph())


def test_what_follows_from_one_actuator_is_not_told_again() -> None:
    """Two autoscalers of one pool are coupled and at one pace too."""
    both = graph(loop("a", actuator="u"), loop("b", signal="y.a", actuator="u"))
    assert [one.code for one in topology(both, 9.0)] == ["FB-101"]
    assert topology(both, 9.0)[0].at == 9.0


def test_what_follows_from_a_growing_cycle_is_not_told_again() -> None:
    some = [loop(name, gain=0.8) for name in "ab"]
    found = topology(graph(*some, effect("a", "b", 2.0), effect("b", "a", -3.0)))
    assert [one.code for one in found] == ["FB-104"]


@given(st.permutations(range(6)))
def test_the_order_of_what_is_declared_does_not_matter(order: list[int]) -> None:
    parts = [
        loop("a", actuator="u"), loop("b", actuator="u"), loop("c", gain=0.8),
        loop("d", gain=0.8), effect("c", "d", 2.0), effect("d", "c", -3.0),
    ]  # fmt: skip
    found = topology(graph(*(parts[place] for place in order)))
    assert [(one.code, frozenset(one.loops)) for one in found] == [
        ("FB-101", frozenset("ab")),
        ("FB-104", frozenset("cd")),
    ]
