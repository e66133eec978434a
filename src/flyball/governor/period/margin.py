"""How much more load can the fleet take by the plan's own figures, and when is that used up?

The problem last posed says what one request of each class takes at each pool, and what there is;
`diagnosis.headroom` makes of it the factor by which demand may grow while every promise is kept. Of
a replica `USABLE` is counted, as in the demand loop; endpoints that are blocked are not. Demand is
the end of a line through the last rows, so that a ramp is not seen late; what a line leaves over is
its error. Power, links and budgets of money are not counted: they can only make the margin smaller.
"""

from math import erf, inf, sqrt

import numpy as np
from msgspec import Struct

from flyball.diagnosis.finding import Evidence
from flyball.diagnosis.margins.headroom import Headroom, Ways, headroom
from flyball.governor.loops.demand import USABLE
from flyball.governor.period.capacity import RUNNING
from flyball.governor.state import State
from flyball.governor.watching import Row
from flyball.pricing.arrays import read_uses
from flyball.pricing.problem import Problem
from flyball.units import Ratio, Seconds

# A load that may not grow by 6 %, as in `diagnosis.watch`.
LIMIT = 1.06
ROWS, ROWS_MIN = 12, 4
Z_10_90 = 1.2816
# Standard errors from which on a trend is one, and how far ahead it is carried.
TREND_ERRORS, LEAD_S_MAX = 2.0, 86_400.0
# Ways worth less than this share of the class's best are late ones.
IN_TIME_SHARE = 0.5
WHAT = "load margin by the plan, 10-90 %"


class Margin(Struct, frozen=True, kw_only=True):
    """`evidence` = the factor and its interval, `below` = the chance that it is below the limit,
    `pool` = where it is tightest, `lead_s` = when the trend uses it up (None = it does not),
    `width` = how exact the plan's own factor is, high / low."""

    evidence: Evidence
    below: Ratio
    pool: str
    lead_s: Seconds | None
    width: float


def margin(state: State) -> Margin | None:
    """None while there are too few rows, no plan was posed yet, or nothing is asked for."""
    watching, problem = state.watching, state.problem
    if problem is None or len(watching.rows) < ROWS_MIN:
        return None
    ways = _ways(state, problem)
    if ways is None:
        return None
    rows = np.array([*watching.rows][-ROWS:])
    place_of = {name: place for place, name in enumerate(watching.names)}
    wanted = [place_of.get(f"class.{name}.fresh_per_s", -1) for name in problem.class_names]
    if min(wanted) < 0:
        return None
    rates = rows[:, wanted]
    found = headroom(ways, _levels(rates))
    if found.high == inf or found.low <= 0.0:
        return None
    return _judged(found, rates @ found.costs, _pool(problem, found), _interval(state))


def _judged(found: Headroom, load: Row, pool: str, interval_s: Seconds) -> Margin:
    """`load` (rows,) = demand as a share of all that there is, at the prices that prove it."""
    level, slope, error, slope_error = _line(load)
    spread = error / max(level, 1e-9)
    value = sqrt(found.low * found.high)
    low = found.low / (1.0 + Z_10_90 * spread)
    high = found.high / max(1e-3, 1.0 - Z_10_90 * spread)
    sigmas = (value / LIMIT - 1.0) / max(spread, 1e-9)
    lead_s: Seconds | None = None
    if value <= 1.0:
        lead_s = 0.0
    elif slope > TREND_ERRORS * slope_error and slope > 0.0:
        ahead_s = (value - 1.0) * level / slope * interval_s
        lead_s = ahead_s if ahead_s <= LEAD_S_MAX else None
    evidence = Evidence(what=WHAT, value=value, unit="x", low=low, high=high, limit=LIMIT)
    width = found.high / found.low
    below = 0.5 * (1.0 - erf(sigmas / sqrt(2.0)))
    return Margin(evidence=evidence, below=below, pool=pool, lead_s=lead_s, width=width)


def _times(count: int) -> tuple[Row, float]:
    """Row numbers about their mean, and the sum of their squares."""
    at = np.arange(count) - (count - 1) / 2.0
    return at, float((at**2).sum())


def _levels(rows: Row) -> Row:
    """Where least-squares lines through the columns of (rows, C) end, not below 0."""
    at, within = _times(len(rows))
    mean: Row = rows.mean(axis=0)
    return np.maximum(0.0, mean + at @ (rows - mean) / within * at[-1])


def _line(values: Row) -> tuple[float, float, float, float]:
    """(end, slope by row, standard errors of both) of the line through (rows,)."""
    at, within = _times(len(values))
    mean, last = float(values.mean()), float(at[-1])
    slope = float(at @ values) / within
    left: Row = values - mean - slope * at
    noise = sqrt(float((left**2).sum()) / (len(values) - 2))
    error = noise * sqrt(1.0 / len(values) + last**2 / within)
    return max(0.0, mean + slope * last), slope, error, noise / sqrt(within)


def _interval(state: State) -> Seconds:
    return max(state.policy.diagnosis.interval_s, state.policy.tick_s)


def _pool(problem: Problem, found: Headroom) -> str:
    return problem.pools[found.resource % len(problem.pools)].name


def _ways(state: State, problem: Problem) -> Ways | None:
    """The problem's activities that are in time, as shares of what there is now."""
    uses = read_uses(problem.activities)
    if not len(uses.class_index):
        return None
    best = np.zeros(len(problem.class_names))
    np.maximum.at(best, uses.class_index, uses.value_usd)
    use = np.flatnonzero(uses.value_usd >= IN_TIME_SHARE * best[uses.class_index])
    use = use[np.argsort(uses.class_index[use], kind="stable")]
    gpu_s, kv_tokens = _there(state, problem)
    pools, count = uses.pool_index[use], len(problem.pools)
    with np.errstate(divide="ignore", invalid="ignore"):
        share_gpu, share_kv = (
            uses.gpu_s[use] / gpu_s[pools],
            uses.kv_token_s[use] / kv_tokens[pools],
        )
    gone = (gpu_s[pools] <= 0.0) | (kv_tokens[pools] <= 0.0)
    return Ways(
        class_index=uses.class_index[use],
        first=pools,
        second=pools + count,
        share_first=np.where(gone, inf, share_gpu),
        share_second=np.where(gone, inf, share_kv),
        resources=2 * count,
    )


def _there(state: State, problem: Problem) -> tuple[Row, Row]:
    """GPU seconds per second and KV tokens that run now, at full clock, and are not blocked."""
    gpu_s = np.array([pool.gpu_s_max for pool in problem.pools])
    kv_tokens = np.array([pool.kv_tokens_max for pool in problem.pools])
    for one in problem.supplies:
        if one.kind == RUNNING and problem.pools[one.pool_index].clock == 1.0:
            gpu_s[one.pool_index] += one.gpu_s * one.replicas_max
            kv_tokens[one.pool_index] += one.kv_tokens * one.replicas_max
    standing_by = {pool.name: [0, 0] for pool in state.fleet.pools}
    for endpoint in state.view.endpoints:
        if not endpoint.draining:
            counted = standing_by[endpoint.pool.name]
            counted[0] += not state.view.blocked[endpoint.index]
            counted[1] += 1
    parts = [standing_by[one.name] for one in problem.pools]
    share = np.array([good / max(1, there) for good, there in parts])
    return gpu_s * share * USABLE, kv_tokens * share
