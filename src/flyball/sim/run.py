"""What happens when a scenario is run? (The world put together, set going, and reported.)"""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from flyball.dialects.traces.row import TraceRow
from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.sim import workload
from flyball.sim.driver import Tee
from flyball.sim.report import Result
from flyball.sim.scenario import Scenario
from flyball.sim.world import World
from flyball.units import Ratio

# Of the cycle collector's three generations: objects, then rounds of the one before.
_THRESHOLDS = (200_000, 20, 20)


def generated(scenario: Scenario) -> Iterator[TraceRow]:
    """The rows of a scenario whose load is generated, at its own rate times its load."""
    shape, work = scenario.workload.generate, scenario.workload
    if shape is None and work.programs and work.trace is None:
        return iter(())
    if shape is None:
        raise ValueError("the load of this scenario is a trace: its rows must be given")
    rate = shape.rate * scenario.workload.load
    return iter(workload.generate(scenario.seed, scenario.duration_s, rate, shape.mix))


def run(
    scenario: Scenario,
    fleet: Fleet,
    policy: Policy,
    rows: Iterable[TraceRow] | None = None,
    *,
    name: str = "",
    tee: Tee | None = None,
    progress: Callable[[Ratio, int], None] | None = None,
) -> Result:
    """Run it to its end. `rows` = the load in time order, if it is a trace's (already scaled).

    `progress(share of the duration, calls so far)` is called now and then. Equal scenarios with
    equal rows give equal results, to the last bit. TraceError where the rows do not fit the fleet.
    """
    world = World(scenario, fleet, policy, generated(scenario) if rows is None else rows, tee)
    with few_collections():
        return world.run(name, progress)


@contextmanager
def few_collections() -> Iterator[None]:
    """Meanwhile the cycle collector looks seldom: a run makes many objects and hardly a cycle."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
