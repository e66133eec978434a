"""Is what is known of any fleet enough to see the classic conflict of two pod autoscalers?"""

from flyball.diagnosis.topology.graph import LoopGraph, Member, Reading, merge
from flyball.diagnosis.topology.known import known_effects
from flyball.diagnosis.topology.topology import topology


def test_a_vertical_autoscaler_blinds_a_horizontal_one() -> None:
    """kubernetes/autoscaler: both on CPU must not be combined."""
    horizontal = Member(
        name="hpa",
        actuator="pool.replicas",
        period_s=15.0,
        reads=(Reading(signal="utilization", sign=1, gain=1.0, stands_for="demand"),),
    )
    vertical = Member(
        name="vpa", actuator="pool.requests_cpu", period_s=60.0, reads=(Reading(signal="usage"),)
    )
    found = topology(merge([LoopGraph(members=(horizontal, vertical)), known_effects()]))
    assert [(one.code, one.loops) for one in found] == [("FB-110", ("hpa", "vpa"))]


def test_every_known_effect_says_where_it_is_from() -> None:
    effects = known_effects().effects
    assert all(one.seen and (one.way or one.gain == 0.0) for one in effects)
    assert len({(one.actuator, one.signal) for one in effects}) == len(effects)
