"""What may each pool have over the horizon of a plan: what runs, what may stop, start or slow down?

A pool that no loop of ours may change has what runs there. Under `autoscaling` its replicas above
the least may stop and others start, each for its money and idle energy; one that starts brings the
share of the horizon left when it is ready. Under `residency` pools share a number of replicas that
may be awake. Under `power`, at a site with a limit, replicas run at one of two clocks (by shares of
them, at any mean between): each clock is a pool of the problem, with the same name.
"""

from math import inf
from typing import NamedTuple

from flyball.governor.loops.registry import PERIOD_LOOPS
from flyball.governor.loops.steering import bounded
from flyball.governor.state import State
from flyball.model.fleet import Pool
from flyball.model.loop import Loop, LoopPolicy
from flyball.pricing.problem import PoolCapacity, Supply
from flyball.units import Ratio, Seconds, usd_per_second

CLOCKS: tuple[Ratio, ...] = (1.0, 0.75)
STARTING = "start"
RUNNING = "run"


class Capacity(NamedTuple):
    """Pools of the problem, their supplies, the groups these share, and by site the watts that are
    left after what runs anyway stands idle."""

    pools: list[PoolCapacity]
    supplies: list[Supply]
    group_names: list[str]
    group_units_max: list[float]
    site_watts_max: list[float]


class _Block(NamedTuple):
    """`replicas` alike of one pool: `share` of the horizon each is there."""

    kind: str
    replicas: float
    share: Ratio
    usd_per_s: float
    idle_watts: float
    group: int


def capacity(state: State) -> Capacity:
    """From the endpoints in service and the loops that may change them."""
    fleet = state.fleet
    sites = {site.name: number for number, site in enumerate(fleet.sites)}
    found = Capacity([], [], [], [], [site.power_watts_max for site in fleet.sites])
    groups = _shared(state, found)
    ready, there = [0] * len(fleet.pools), [0] * len(fleet.pools)
    for endpoint in state.view.endpoints:
        there[endpoint.pool_index] += 1
        ready[endpoint.pool_index] += not endpoint.draining
    slower: list[tuple[PoolCapacity, list[_Block], Pool]] = []
    for number, pool in enumerate(fleet.pools):
        site = sites[pool.site]
        fixed, blocks = _blocks(state, pool, ready[number], there[number], groups)
        if fixed:
            idle = fixed * pool.profile.power.idle_watts
            found.site_watts_max[site] = max(0.0, found.site_watts_max[site] - idle)
        clocked = _entry(state, "power", pool) is not None and pool.name not in groups
        if clocked and fleet.sites[site].power_watts_max < inf:
            blocks = [_Block(RUNNING, float(fixed), 1.0, 0.0, 0.0, -1), *blocks]
            fixed = 0.0
            blocks = [_grouped(found, pool, block) for block in blocks if block.replicas > 0]
        else:
            clocked = False
        one = _pool(state, pool, site, fixed, 1.0)
        found.pools.append(one)
        found.supplies.extend(_supply(number, pool, block, 1.0) for block in blocks)
        if clocked:
            slower.append((one, blocks, pool))
    for one, blocks, pool in slower:
        for clock in CLOCKS[1:]:
            place = len(found.pools)
            found.pools.append(_pool(state, pool, one.site_index, 0.0, clock))
            found.supplies.extend(_supply(place, pool, block, clock) for block in blocks)
    return found


def _entry(state: State, loop: str, pool: Pool) -> LoopPolicy | None:
    """What the operator set for that loop at that pool; None = it does not run there."""
    for policy in state.policy.loops:
        if policy.name == loop and (not policy.scopes or pool.name in policy.scopes):
            return policy
    return None


def _shared(state: State, found: Capacity) -> dict[str, int]:
    """By pool, the group of accelerators that it shares with others; fills in the groups."""
    groups: dict[str, int] = {}
    for policy in state.policy.loops:
        if policy.name != "residency" or policy.limit_high is None:
            continue
        names = policy.scopes or tuple(pool.name for pool in state.fleet.pools)
        groups |= {name: len(found.group_names) for name in names}
        found.group_names.append(f"awake: {', '.join(names)}")
        found.group_units_max.append(policy.limit_high)
    return groups


def _blocks(
    state: State, pool: Pool, ready: int, there: int, groups: dict[str, int]
) -> tuple[float, list[_Block]]:
    """(replicas that run whatever is decided, the others)."""
    if pool.name in groups:
        policy = _entry(state, "residency", pool)
        assert policy is not None
        share = _share_left(_declared("residency", policy), policy, "residency")
        return 0.0, [
            _Block(RUNNING, float(ready), 1.0, 0.0, 0.0, groups[pool.name]),
            _Block(STARTING, float(there - ready), share, 0.0, 0.0, groups[pool.name]),
        ]
    policy = _entry(state, "autoscaling", pool)
    if policy is None:
        return float(ready), []
    loop = _declared("autoscaling", policy)
    horizon_s = policy.horizon_s or PERIOD_LOOPS["autoscaling"].horizon_s
    ramp = loop.rate_per_s * horizon_s * (max(1, ready) if loop.is_relative else 1)
    kept = min(float(ready), max(loop.limit_low, ready - ramp))
    more = max(0.0, min(there - ready, loop.limit_high - ready, ramp))
    usd, idle = usd_per_second(pool.profile.usd_per_hour), pool.profile.power.idle_watts
    share = _share_left(loop, policy, "autoscaling")
    return kept, [
        _Block(RUNNING, ready - kept, 1.0, usd, idle, -1),
        _Block(STARTING, more, share, usd, idle, -1),
    ]


def _declared(name: str, policy: LoopPolicy) -> Loop:
    return bounded(PERIOD_LOOPS[name].loop, policy)


def _share_left(loop: Loop, policy: LoopPolicy, name: str) -> Ratio:
    """Of the horizon, when a replica started now is ready."""
    horizon_s: Seconds = policy.horizon_s or PERIOD_LOOPS[name].horizon_s
    return max(0.0, 1.0 - loop.delay_s / horizon_s)


def _grouped(found: Capacity, pool: Pool, block: _Block) -> _Block:
    """The block's replicas run at one clock or another: a group of their own."""
    found.group_names.append(f"{pool.name}: {block.kind}")
    found.group_units_max.append(block.replicas)
    return block._replace(group=len(found.group_names) - 1)


def _pool(state: State, pool: Pool, site: int, fixed: float, clock: Ratio) -> PoolCapacity:
    return PoolCapacity(
        name=pool.name,
        site_index=site,
        gpu_s_max=fixed,
        kv_tokens_max=fixed * pool.profile.limits.kv_tokens_max,
        congestion_usd_per_gpu_s=max(1e-4, 10.0 * pool.profile.usd_per_hour / 3600.0),
        pooling=state.pooling.get(pool.name, 1.0),
        clock=clock,
    )


def _supply(place: int, pool: Pool, block: _Block, clock: Ratio) -> Supply:
    return Supply(
        pool_index=place,
        kind=block.kind,
        replicas_max=block.replicas,
        gpu_s=block.share * clock,
        kv_tokens=block.share * pool.profile.limits.kv_tokens_max,
        usd_per_s=block.usd_per_s,
        watts=block.idle_watts,
        group_index=block.group,
        units=1.0 if block.group >= 0 else 0.0,
    )
