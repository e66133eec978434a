"""How many replicas of a pool should take work, so that the others may idle?

A GPU at batch 8 draws about 70 % of full power: power is concave in the batch, so the same work on
fewer replicas draws less. A replica that is parked takes no new work, keeps its model and its
caches, and is back at once. It is parked while the energy saved is worth more than the work that
might be left undone without it (`worth`), at the tariff plus the watt's shadow price: seldom where
power is cheap, soon at a site near its limit. Pools that autoscaling counts are left to it.
"""

from math import hypot

from flyball.governor.endpoint import EndpointState
from flyball.governor.loops.demand import PoolDemand, demand, pool_price, running_work
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.loops.worth import ReplicaCost, Work, best_count
from flyball.governor.state import State
from flyball.governor.tally import RATE_MEMORY_S
from flyball.model.loop import Loop
from flyball.model.profile import PowerCurve
from flyball.units import Watts, usd_per_joule

HORIZON_S = 120.0
# What is saved must be worth twice what might be lost before one is parked; it is back at once when
# it is worth it: so a load between two counts does not park and unpark by turns.
CAUTION = 0.5

CONSOLIDATION = Loop(
    name="consolidation",
    sensor="demand by class; work in flight by pool",
    actuator="pool.active",
    objective="least energy and value not served in time",
    period_s=10.0,
    delay_s=0.0,
    limit_low=1.0,
    rate_per_s=0.1,
    is_whole=True,
    feedback=0.1,
)


def wishes(state: State, context: LoopContext) -> list[Wish]:
    """One per pool in scope that runs and is not scaled."""
    scaled = {
        pool
        for policy in state.policy.loops
        if policy.name == "autoscaling"
        for pool in policy.scopes or [one.name for one in state.fleet.pools]
    }
    members = [_members(state, number) for number in range(len(state.fleet.pools))]
    asked = demand(state, [float(len(some)) for some in members], lambda number: True)
    return [
        _wish(state, context, number, members[number], asked[number])
        for number in context.pools(state.fleet)
        if members[number] and state.fleet.pools[number].name not in scaled
    ]


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
    present = state.setpoints.value(loop.actuator, pool.name, float(len(members)))
    forecast = context.forecast(pool.name)
    forecast.read(asked.work)
    mean, spread = forecast.ahead(RATE_MEMORY_S)
    live = running_work(state, number)
    work = Work(max(mean, live), hypot(spread, asked.burst), asked.usd_per_gpu_s)
    joule_usd = usd_per_joule(state.fleet.site_of(pool).usd_per_kwh)
    joule_usd += pool_price(state, pool.name).usd_per_joule
    running = sum(one.sequences for one in members)
    saved = saving(pool.profile.power, running, round(present))
    usd = joule_usd * saved
    cost = ReplicaCost(usd, stop_usd=CAUTION * usd * context.horizon_s)
    least = loop.limit_low if context.knows(pool.name) else present
    low = int(max(1.0, least))
    high = int(max(low, min(loop.limit_high, len(members))))
    count = best_count(work, round(present), low, high, cost, context.horizon_s)
    active = sorted((e for e in members if not e.draining), key=_weight)
    return Wish(
        scope=pool.name,
        value=float(count),
        present=present,
        reason=f"one replica less saves {saved:.0f} W; work of {work.mean:.2f} replicas",
        targets=tuple(one.name for one in active[: max(0, len(active) - count)]),
        reading=live / max(1.0, present),
        slope=-live / max(1.0, present) ** 2,
    )


def _weight(one: EndpointState) -> tuple[float, int]:
    return one.load + one.session_tokens / 1e3, -one.index


def saving(power: PowerCurve, sequences: float, replicas: int) -> Watts:
    """Dynamic watts saved when `sequences` run on one replica less (>= 0, as power is concave)."""
    if replicas <= 1:
        return 0.0

    def drawn(count: int) -> Watts:
        return count * (power.watts(sequences / count) - power.idle_watts)

    return max(0.0, drawn(replicas) - drawn(replicas - 1))
