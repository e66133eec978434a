"""Which models should be awake on hardware that several of them share?

The pools of one entry share accelerators: of their replicas at most `limit_high` are awake, the
others sleep with their weights in host memory (vLLM's sleep level 1) or are not loaded at all. Each
unit goes where it is worth most (`worth.relief`, greedy, which is exact as relief never rises with
the count). To take one from another pool it must earn more than that one by the price of the
exchange: the time in which neither works.
"""

from math import hypot

from flyball.governor.loops.demand import demand, running_work
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.loops.worth import Work, relief
from flyball.governor.state import State
from flyball.governor.tally import RATE_MEMORY_S
from flyball.model.loop import Loop
from flyball.units import Seconds, Usd

WAKE_S: Seconds = 10.0
HORIZON_S: Seconds = 300.0

RESIDENCY = Loop(
    name="residency",
    sensor="demand by class; work in flight by pool",
    actuator="pool.awake",
    objective="most value served in time by accelerators that models share",
    period_s=10.0,
    delay_s=WAKE_S,
    limit_low=0.0,
    is_whole=True,
    feedback=0.1,
)


def wishes(state: State, context: LoopContext) -> list[Wish]:
    """One per pool that shares the accelerators of this entry."""
    pools = context.pools(state.fleet)
    members = [
        [one for one in state.view.endpoints if one.pool_index == number]
        for number in range(len(state.fleet.pools))
    ]
    counts = [float(len(some)) for some in members]
    asked = demand(state, counts, lambda number: True)
    works: list[Work] = []
    presents: list[int] = []
    for number in pools:
        name = state.fleet.pools[number].name
        forecast = context.forecast(name)
        forecast.read(asked[number].work)
        mean, spread = forecast.ahead(context.loop.delay_s + RATE_MEMORY_S)
        work = asked[number]
        live = running_work(state, number)
        works.append(Work(max(mean, live), hypot(spread, work.burst), work.usd_per_gpu_s))
        awake = sum(1 for one in members[number] if not one.draining)
        presents.append(round(state.setpoints.value(context.loop.actuator, name, float(awake))))
    units = int(min(context.loop.limit_high, sum(counts)))
    limits = [len(members[number]) for number in pools]
    exchange = context.loop.delay_s / context.horizon_s
    shares = allotted(works, presents, limits, units, exchange)
    return [
        Wish(
            scope=state.fleet.pools[number].name,
            value=float(share),
            reason=f"{share} of {units} shared replicas: work of {work.mean:.2f}",
            present=float(present),
            targets=_sleepers(state, number, share),
            is_urgent=present == 0 and share > 0,
        )
        for number, share, work, present in zip(pools, shares, works, presents, strict=True)
    ]


def _sleepers(state: State, number: int, share: int) -> tuple[str, ...]:
    awake = [e for e in state.view.endpoints if e.pool_index == number and not e.draining]
    awake.sort(key=lambda one: (one.load, one.session_tokens, -one.index))
    return tuple(one.name for one in awake[: max(0, len(awake) - share)])


def allotted(
    works: list[Work], presents: list[int], limits: list[int], units: int, exchange: float
) -> list[int]:
    """Replicas awake for each pool, `units` in all. One that is awake and in use keeps its place
    unless another earns more by the share `exchange`; one that nothing is asked of may sleep."""
    shares = [0] * len(works)

    def gain(place: int) -> Usd:
        if shares[place] >= limits[place]:
            return -1.0
        bonus = 1.0 + exchange if shares[place] < presents[place] else 1.0
        return bonus * relief(works[place], shares[place] + 1)

    for _ in range(units):
        best = max(range(len(works)), key=gain, default=None)
        if best is None or gain(best) <= 0.0:
            break
        shares[best] += 1
    return shares
