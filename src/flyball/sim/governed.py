"""Which loops of the control period does the governor run in a scenario, and which are foreign?

An autoscaler or a power loop named `governor` is the governor's own; others are listed under
`policy.loops` in the core's own words. A pool whose hardware `residency` shares out is not scaled
as well: its replicas start and stop as those of an autoscaler do.
"""

from flyball.governor.loops.registry import PERIOD_LOOPS, REQUEST_LOOPS
from flyball.model.loop import LoopPolicy
from flyball.sim.scenario import Scenario

OWN = "governor"
Problem = tuple[tuple[str | int, ...], str, str]


def own_loops(scenario: Scenario) -> tuple[LoopPolicy, ...]:
    """The loops that the scenario gives to the governor, enforced unless it says otherwise."""
    shared = {
        pool
        for one in scenario.policy.loops
        if one.name == "residency"
        for pool in one.scopes or tuple(scenario.fleet.pools)
    }
    scaled = tuple(
        LoopPolicy(
            name="autoscaling",
            mode="enforce",
            scopes=(pool,),
            limit_low=float(shape.replicas_min),
            limit_high=float(shape.replicas_max),
            start_s=shape.start_s[0],
        )
        for pool, shape in scenario.autoscalers.items()
        if shape.rule == OWN and pool not in shared
    )
    power = (LoopPolicy(name="power", mode="enforce"),) if scenario.loops.power == OWN else ()
    return scaled + power + scenario.policy.loops


def unknown_loops(scenario: Scenario) -> list[Problem]:
    """Loops under `policy.loops` that there are not: path, what is wrong, next step."""
    known = ", ".join((*PERIOD_LOOPS, *REQUEST_LOOPS))
    return [
        (("policy", "loops", place, "name"), f"no loop is named {one.name!r}", f"Use: {known}.")
        for place, one in enumerate(scenario.policy.loops)
        if one.name not in PERIOD_LOOPS and one.name not in REQUEST_LOOPS
    ]
