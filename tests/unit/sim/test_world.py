"""Do the parts of the simulated world belong together, and does it keep nothing too long?"""

import gc

from flyball.sim.build import build
from flyball.sim.exchange import Call, Exchange
from flyball.sim.run import generated
from flyball.sim.world import World
from support.worlds import scenario, world


def test_a_control_core_stands_behind_several_gateways_only() -> None:
    assert len(world(scenario()).cores) == 1
    assert len(world(scenario(gateways={"count": 3})).cores) == 4


def test_all_that_began_has_ended_or_is_told_as_unfinished() -> None:
    made = world(scenario(drain_s=0, workload__generate__rate=20))
    report = made.run("x", None).report
    assert made.begun == sum(report.total.ends.values()) == report.total.calls
    assert report.total.ends["unfinished"] == len(made.open) > 0
    assert made.driver.in_flight >= len(made.open)


def test_calls_that_have_ended_are_not_kept_and_leave_no_cycle() -> None:
    one = scenario(duration_s=20)
    fleet, policy = build(one)
    world = World(one, fleet, policy, generated(one))
    gc.collect()
    gc.disable()
    try:
        world.run("", None)
        world.clock.drop_over()
        left = [thing for thing in gc.get_objects() if isinstance(thing, Call | Exchange)]
    finally:
        gc.enable()
    assert world.begun > 50
    assert not left
