"""How much work is each pool about to be asked for, if its replicas could be had?

Work = GPU-seconds per second, of fresh demand (retries are not demand): classes in falling value of
a GPU-second, each to the pools that may serve it, in time before late, what is there anyway before
what must be paid for, cheap before dear. What no pool has room for counts at the best one, so that
overload shows as work above capacity and not as a full pool.

Requests come in bursts: work that arrives within `BURST_S` has the variance rate * work^2 of a
compound Poisson stream, over the time in which a burst is worked off.
"""

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

from flyball.governor.scope import residency
from flyball.governor.state import State
from flyball.governor.tally import ClassTally
from flyball.model.fleet import Pool
from flyball.model.prices import PoolPrice
from flyball.model.request import Principal, RequestClass
from flyball.pricing.work import Sizes, batch_max, work
from flyball.units import Seconds, Usd, usd_per_second

RATE_PER_S_MIN = 1e-3
# A replica whose GPU time is all taken keeps no promise: what is usable of it.
USABLE = 0.85
LATE_VALUE_RATIO = 0.1
BURST_S: Seconds = 2.0
ANYONE = Principal(name="", key_sha256="")


class PoolDemand(NamedTuple):
    """`work` in replicas (GPU-seconds per second over what of one is usable), its deviation by
    bursts alone, and the worth of a usable GPU-second of it."""

    work: float = 0.0
    burst: float = 0.0
    usd_per_gpu_s: Usd = 0.0


class _Use(NamedTuple):
    pool: int
    gpu_s: Seconds
    value_usd: Usd
    order: tuple[bool, float, float]


def demand(
    state: State, counts_max: list[float], is_free: Callable[[int], bool]
) -> list[PoolDemand]:
    """By pool number. `counts_max[p]` = replicas it may have; `is_free(p)` = those are paid for
    whatever is decided."""
    room = [USABLE * count for count in counts_max]
    taken, squares = [0.0] * len(room), [0.0] * len(room)
    usd = [0.0] * len(room)
    for left, uses in _by_worth(state, counts_max, is_free):
        for use in uses:
            fits = max(0.0, room[use.pool] - taken[use.pool]) / use.gpu_s
            rate = min(left, fits)
            _take(use, rate, taken, squares, usd)
            left -= rate
        if left > 0.0 and uses:
            _take(uses[0], left, taken, squares, usd)
    return [
        PoolDemand(work / USABLE, sqrt(square / BURST_S) / USABLE, USABLE * worth / work)
        if work > 0.0
        else PoolDemand()
        for work, square, worth in zip(taken, squares, usd, strict=True)
    ]


def _take(
    use: _Use, rate: float, taken: list[float], squares: list[float], usd: list[float]
) -> None:
    taken[use.pool] += rate * use.gpu_s
    squares[use.pool] += rate * use.gpu_s * use.gpu_s
    usd[use.pool] += rate * use.value_usd


def _by_worth(
    state: State, counts_max: list[float], is_free: Callable[[int], bool]
) -> list[tuple[float, list[_Use]]]:
    """Requests per second of each class and what it may use, the worthiest class first."""
    found: list[tuple[float, list[_Use]]] = []
    for klass in state.policy.classes:
        tally = state.tallies[klass.name]
        if tally.rate_per_s < RATE_PER_S_MIN:
            continue
        uses = [
            _use(state, klass, tally, number, pool, is_free(number))
            for number, pool in enumerate(state.fleet.pools)
            if counts_max[number] and _may(state, klass, pool)
        ]
        found.append((tally.rate_per_s, sorted(uses, key=lambda use: use.order)))
    return sorted(found, key=lambda one: -max((u.value_usd / u.gpu_s for u in one[1]), default=0.0))


def _may(state: State, klass: RequestClass, pool: Pool) -> bool:
    allowed = residency(ANYONE, klass, "")
    return allowed is None or state.fleet.site_of(pool).jurisdiction in allowed


def _use(
    state: State, klass: RequestClass, tally: ClassTally, number: int, pool: Pool, is_free: bool
) -> _Use:
    sizes = Sizes(tally.input_tokens, tally.output_tokens, tally.cached_ratio)
    promise, profile = klass.promise, pool.profile
    batch = batch_max(profile, sizes.kv_tokens, promise.tpot_s)
    rtt_s = state.fleet.site_of(pool).rtt_s
    is_late = batch < 1.0 or (
        promise.ttft_s > 0.0 and rtt_s + profile.mixed.base_s >= promise.ttft_s
    )
    gpu_s = max(1e-6, work(profile, sizes, max(1.0, batch)).gpu_s)
    usd = 0.0 if is_free else gpu_s * usd_per_second(profile.usd_per_hour)
    value = klass.value_usd * (LATE_VALUE_RATIO if is_late else 1.0)
    return _Use(number, gpu_s, value, (is_late, usd, gpu_s))


def running_work(state: State, pool_number: int) -> float:
    """Replicas' worth of what is there now, by Little's law alone: requests running or waiting
    over the batch at which the promises of their classes still hold. It needs no forecast and no
    step model beyond that batch, and rises when work is slower than the plan believes."""
    batch = _mean_batch(state, state.fleet.pools[pool_number])
    here = sum(one.load for one in state.view.endpoints if one.pool_index == pool_number)
    return here / batch


def _mean_batch(state: State, pool: Pool) -> float:
    weight = sum_batch = 0.0
    for klass in state.policy.classes:
        tally = state.tallies[klass.name]
        if tally.rate_per_s >= RATE_PER_S_MIN and _may(state, klass, pool):
            sizes = Sizes(tally.input_tokens, tally.output_tokens, tally.cached_ratio)
            batch = max(1.0, batch_max(pool.profile, sizes.kv_tokens, klass.promise.tpot_s))
            share = tally.rate_per_s * tally.output_tokens
            weight += share
            sum_batch += share * batch
    return sum_batch / weight if weight else float(pool.profile.limits.seqs_max)


def pool_price(state: State, pool: str) -> PoolPrice:
    """The prices in force there; all zero while there are none."""
    board = state.view.board
    found = [one for one in board.pools if one.pool == pool] if board.version else []
    return found[0] if found else PoolPrice(pool=pool)
