"""How many replicas should each pool have, and which of them should go?

A replica is worth the price integral of GPU time that it relieves over the horizon, against its
money and energy, the time in which it starts, and the warm caches lost when it goes (`worth`). Work
is forecast to when a replica that is started now would be ready. Those that start count as there
(the delay is known, so it is taken out of the loop: Smith's predictor), which keeps a long start
from being answered by ever more starts. With `limit_low` 0 a pool may go to nothing: its first
replica is worth all the work that would come, and comes back without any ramp.
"""

from math import hypot

from flyball.governor.endpoint import EndpointState
from flyball.governor.loops.demand import PoolDemand, demand, pool_price, running_work
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.loops.worth import ReplicaCost, Work, best_count, relief
from flyball.governor.state import State
from flyball.governor.tally import RATE_MEMORY_S
from flyball.model.fleet import Pool
from flyball.model.loop import Loop
from flyball.pricing.work import Sizes, prefill_s
from flyball.units import Seconds, Usd, usd_per_joule, usd_per_second

START_S: Seconds = 120.0
HORIZON_S: Seconds = 900.0

AUTOSCALING = Loop(
    name="autoscaling",
    sensor="demand by class; work in flight by pool",
    actuator="pool.replicas",
    objective="least of money, energy and value not served in time",
    period_s=15.0,
    delay_s=START_S,
    limit_low=1.0,
    rate_per_s=1.0 / 15.0,
    is_relative=True,
    is_whole=True,
    feedback=0.1,
)


def wishes(state: State, context: LoopContext) -> list[Wish]:
    """One per pool in scope whose replicas may change."""
    pools = context.pools(state.fleet)
    there = [_members(state, number) for number in range(len(state.fleet.pools))]
    counts = [float(len(some)) for some in there]
    for number in pools:
        counts[number] = min(counts[number], context.loop.limit_high)
    asked = demand(state, counts, lambda number: number not in pools)
    return [_wish(state, context, number, there[number], asked[number]) for number in pools]


def _members(state: State, pool_number: int) -> list[EndpointState]:
    return [one for one in state.view.endpoints if one.pool_index == pool_number]


def _wish(
    state: State,
    context: LoopContext,
    number: int,
    members: list[EndpointState],
    asked: PoolDemand,
) -> Wish:
    pool, loop = state.fleet.pools[number], context.loop
    ready = [one for one in members if not one.draining]
    present = state.setpoints.value(loop.actuator, pool.name, float(len(ready)))
    work = _work(state, context, number, asked, len(ready))
    low = int(loop.limit_low)
    if not context.knows(pool.name):
        low = max(low, round(present))
    high = max(low, int(min(loop.limit_high, len(members))))
    going = sorted(ready, key=lambda one: (_keep_usd(state, one, work.usd_per_gpu_s), -one.index))
    cost = _cost(state, pool, loop.delay_s, going, work.usd_per_gpu_s)
    count = best_count(work, round(present), low, high, cost, context.horizon_s)
    targets = tuple(one.name for one in going[: max(0, len(ready) - count)])
    earned = relief(work, max(1, count)) * 3600.0
    reason = (
        f"work of {work.mean:.2f} ± {work.deviation:.2f} replicas: "
        f"the last of {count} earns {earned:.2f} USD/h and costs {cost.usd_per_s * 3600.0:.2f}"
    )
    # Work in flight by replica and by work asked for: demand moves both the replicas and what runs
    # on them, and taken as it is would make every answer to a rise look like its cause.
    load = running_work(state, number) / max(0.1, asked.work) / max(1, len(ready))
    return Wish(
        scope=pool.name,
        value=float(count),
        reason=reason,
        present=present,
        targets=targets,
        reading=load,
        slope=-load / max(1.0, present),
        is_urgent=present < 0.5 and count > 0,
    )


def _work(state: State, context: LoopContext, number: int, asked: PoolDemand, ready: int) -> Work:
    """What will be asked for when a replica started now is ready: fresh demand by the forecast, or
    what is there already, if that is more."""
    pool = state.fleet.pools[number]
    forecast = context.read(pool.name, asked.work, RATE_MEMORY_S)
    mean, spread = forecast.ahead(context.loop.delay_s)
    live = running_work(state, number) if ready else 0.0
    worth = max(asked.usd_per_gpu_s, pool_price(state, pool.name).usd_per_gpu_second)
    return Work(max(mean, live), hypot(spread, asked.burst), worth)


def _cost(
    state: State,
    pool: Pool,
    start_s: Seconds,
    going: list[EndpointState],
    usd_per_gpu_s: Usd,
) -> ReplicaCost:
    joule_usd = usd_per_joule(state.fleet.site_of(pool).usd_per_kwh)
    usd = usd_per_second(pool.profile.usd_per_hour) + joule_usd * pool.profile.power.idle_watts
    lost = _keep_usd(state, going[0], usd_per_gpu_s) if going else 0.0
    return ReplicaCost(usd, start_usd=usd * start_s, stop_usd=usd * start_s + lost)


def _keep_usd(state: State, one: EndpointState, usd_per_gpu_s: Usd) -> Usd:
    """USD lost with this replica: its warm sessions' prompts must be computed again elsewhere, and
    what runs there keeps it on till it is done."""
    profile = one.pool.profile
    token_s = prefill_s(profile, Sizes(1.0, 1.0))
    held_s = one.load * profile.decode.base_s
    return usd_per_gpu_s * (one.session_tokens * token_s + held_s)
