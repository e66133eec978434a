"""Which linear program stands for the joint problem, over a chosen few of its activities?

Columns: first the pieces of every pool's congestion cost, then the supplies, then the chosen
activities. A piece j of pool p carries load between two breakpoints of `grid` at the chord's slope;
chords of a convex cost rise, so an optimum fills them in order. Where the pool's capacity is itself
decided, column j is instead the capacity run at breakpoint j + 1: loads and costs mix between two
of them, which is the same chord, but scales with capacity. Rows: demand, load balance, KV, watts,
budgets, links, groups, and the capacity of each such pool. Each row is divided by its largest
coefficient over *all* activities and the objective by the largest worth, so that absolute
tolerances of a solver mean relative ones; scales do not change with capacities.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flyball.pricing.arrays import Arrays, Floats, Ints
from flyball.pricing.lagrangian import Prices

FINEST = 0.002
"""Half-width, in load, of the two pieces next to the last known load: the price error is 2 k u
times half of it, 0.2 % of the full price k."""
WIDEST = 0.3
"""Reach of the outermost breakpoint on either side of the last known load."""
LOWEST = 1e-3
"""Lowest breakpoint of a pool whose capacity is undecided: below it, coefficients vanish."""
FEWEST = 8
"""With fewer pieces the breakpoints are too coarse for re-centring to converge (measured)."""


@dataclass(frozen=True, slots=True)
class Scales:
    """Row divisors (demand rows have none) and the objective's divisor in USD."""

    gpu: Floats
    kv: Floats
    watt: Floats
    budget: Floats
    link: Floats
    group: Floats
    worth: float


@dataclass(frozen=True, slots=True)
class Program:
    """Minimise cost.x subject to 0 <= x <= upper, A x <= row_upper; A in compressed columns."""

    cost: Floats
    upper: Floats
    row_upper: Floats
    starts: NDArray[np.int32]
    rows: NDArray[np.int32]
    coefficients: Floats


def _largest_at(index: Ints, amount: Floats, size: int) -> Floats:
    largest = np.zeros(size + 1)
    np.maximum.at(largest, index, amount)
    return np.where(largest[:size] > 0, largest[:size], 1.0)


def scales(arrays: Arrays) -> Scales:
    """Divisors from the activities and supplies alone, 1 where nothing is used."""
    uses, pools = arrays.uses, len(arrays.gpu_s_max)
    supplies = arrays.supplies
    links, groups = len(arrays.link_bytes_per_s_max), len(arrays.group_units_max)
    return Scales(
        gpu=_largest_at(uses.pool_index, uses.gpu_s, pools),
        kv=_largest_at(uses.pool_index, uses.kv_token_s, pools),
        watt=_largest_at(arrays.site_index, uses.joules, len(arrays.site_watts_max)),
        budget=_largest_at(uses.budget_index, uses.usd, len(arrays.budget_usd_per_s)),
        link=_largest_at(uses.link_index, uses.link_bytes, links) if links else np.zeros(0),
        group=_largest_at(supplies.group_index, supplies.units, groups),
        worth=float(np.abs(arrays.worth_usd).max(initial=0.0)) or 1.0,
    )


def pieces(segments: int) -> int:
    """Pieces per pool: `segments` (made even, at least `FEWEST`) plus the two ends."""
    return 2 * _reach(segments) + 2


def _reach(segments: int) -> int:
    return max(FEWEST, segments) // 2


def even_grid(pools: int, segments: int) -> Floats:
    """Breakpoints in load, (pools, pieces + 1), evenly spread: nothing is known yet."""
    return np.tile(np.linspace(0.0, 1.0, pieces(segments) + 1), (pools, 1))


def grid_around(load: Floats, segments: int, finest: float = FINEST) -> Floats:
    """Breakpoints at each pool's load (P,) and at geometric distances from it, and at 0 and 1.

    Near the load the chords follow the true cost closely, further off coarsely: rounds of
    re-centring converge on the optimum of the convex problem with a handful of pieces.
    """
    steps = np.geomspace(finest, WIDEST, _reach(segments))
    offsets = np.concatenate([-steps[::-1], [0.0], steps])
    inner = np.clip(np.clip(load, 0.0, 1.0)[:, None] + offsets, 0.0, 1.0)
    ends = np.zeros((len(load), 1))
    return np.concatenate([ends, inner, ends + 1.0], axis=1)


def _slopes(grid: Floats) -> Floats:
    """Chord slopes of u^3/3 between breakpoints a < b: (a^2 + ab + b^2)/3, exact for a = b too."""
    low, high = grid[:, :-1], grid[:, 1:]
    return (low * low + low * high + high * high) / 3.0


def row_starts(arrays: Arrays) -> NDArray[np.intp]:
    """The first row of each kind in the order of `Prices`, of the capacities, and the end."""
    pools = len(arrays.gpu_s_max)
    sizes = [
        len(arrays.demand_per_s),
        pools,
        pools,
        len(arrays.site_watts_max),
        len(arrays.budget_usd_per_s),
        len(arrays.link_bytes_per_s_max),
        len(arrays.group_units_max),
        len(arrays.elastic),
    ]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)


def build(arrays: Arrays, scale: Scales, chosen: NDArray[np.intp], grid: Floats) -> Program:
    """The program over the activities `chosen` (m,) and the breakpoints `grid` (P, pieces + 1)."""
    parts = [_congestion(arrays, scale, grid)]
    if arrays.supplies.gpu_s.size:
        parts.append(_supplies(arrays, scale))
    parts.append(_activities(arrays, scale, chosen))
    counts = np.concatenate([part.counts for part in parts])
    return Program(
        cost=np.concatenate([part.cost for part in parts]) / scale.worth,
        upper=np.concatenate([part.upper for part in parts]),
        row_upper=row_upper(arrays, scale),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        rows=np.concatenate([part.rows for part in parts]).astype(np.int32),
        coefficients=np.concatenate([part.coefficients for part in parts]),
    )


class _Part(NamedTuple):
    """Some columns: their costs in USD, bounds, entries of each, and the entries."""

    cost: Floats
    upper: Floats
    counts: NDArray[np.intp]
    rows: NDArray[np.intp]
    coefficients: Floats


def _part(cost: Floats, upper: Floats, rows: list[NDArray[np.intp]], values: list[Floats]) -> _Part:
    """Of columns that each may have an entry in every one of `rows`; zeros are none."""
    entries = np.stack(values, axis=1)
    present = entries != 0.0
    return _Part(
        cost, upper, present.sum(axis=1), np.stack(rows, axis=1)[present], entries[present]
    )


def _congestion(arrays: Arrays, scale: Scales, grid: Floats) -> _Part:
    pools, per_pool = len(grid), grid.shape[1] - 1
    at_gpu = row_starts(arrays)[1]
    full = arrays.congestion_usd_per_gpu_s * scale.gpu
    cost = full[:, None] * _slopes(grid)
    upper = (arrays.gpu_s_max / scale.gpu)[:, None] * np.diff(grid, axis=1)
    balance = np.repeat(at_gpu + np.arange(pools), per_pool)
    if not arrays.elastic.size:
        ones = np.ones(pools * per_pool)
        return _Part(cost.ravel(), upper.ravel(), ones.astype(np.intp), balance, -ones)
    node = np.maximum(grid[:, 1:], LOWEST)
    of_load, of_size = -np.ones_like(node), np.zeros_like(node)
    some = arrays.elastic
    cost[some] = full[some, None] * node[some] ** 3 / 3.0
    upper[some], of_load[some], of_size[some] = np.inf, -node[some], 1.0
    size_row = np.repeat(_size_rows(arrays), per_pool)
    return _part(
        cost.ravel(), upper.ravel(), [balance, size_row], [of_load.ravel(), of_size.ravel()]
    )


def _size_rows(arrays: Arrays) -> NDArray[np.intp]:
    """The capacity row of each pool (P,); of a pool that has none, any."""
    rows = np.zeros(len(arrays.gpu_s_max), np.intp)
    rows[arrays.elastic] = row_starts(arrays)[7] + np.arange(len(arrays.elastic))
    return rows


def _supplies(arrays: Arrays, scale: Scales) -> _Part:
    supplies, starts = arrays.supplies, row_starts(arrays)
    pool, site, group = supplies.pool_index, supplies.site_index, supplies.group_index
    kv = np.where(np.isinf(arrays.kv_tokens_max[pool]), 0.0, supplies.kv_tokens / scale.kv[pool])
    watts = supplies.watts / np.append(scale.watt, 1.0)[site]
    units = supplies.units / np.append(scale.group, 1.0)[group]
    return _part(
        supplies.usd_per_s,
        supplies.replicas_max,
        [_size_rows(arrays)[pool], starts[2] + pool, starts[3] + site, starts[6] + group],
        [
            -supplies.gpu_s / scale.gpu[pool],
            -kv,
            np.where(site >= 0, watts, 0.0),
            np.where(group >= 0, units, 0.0),
        ],
    )


def _activities(arrays: Arrays, scale: Scales, chosen: NDArray[np.intp]) -> _Part:
    uses, starts = arrays.uses, row_starts(arrays)
    pool, site = uses.pool_index[chosen], arrays.site_index[chosen]
    budget = uses.budget_index[chosen]
    watts = uses.joules[chosen] / np.append(scale.watt, 1.0)[site]
    usd = uses.usd[chosen] / np.append(scale.budget, 1.0)[budget]
    rows = [
        uses.class_index[chosen],
        starts[1] + pool,
        starts[2] + pool,
        starts[3] + site,
        starts[4] + budget,
    ]
    values = [
        np.ones(len(chosen)),
        uses.gpu_s[chosen] / scale.gpu[pool],
        uses.kv_token_s[chosen] / scale.kv[pool],
        np.where(site >= 0, watts, 0.0),
        np.where(budget >= 0, usd, 0.0),
    ]
    if len(arrays.link_bytes_per_s_max):
        link = uses.link_index[chosen]
        crossing = uses.link_bytes[chosen] / np.append(scale.link, 1.0)[link]
        rows.append(starts[5] + link)
        values.append(np.where(link >= 0, crossing, 0.0))
    return _part(-arrays.worth_usd[chosen], np.full(len(chosen), np.inf), rows, values)


def row_upper(arrays: Arrays, scale: Scales) -> Floats:
    """Right-hand sides of all rows, scaled; the load balance of each pool has 0."""
    return np.concatenate(
        [
            arrays.demand_per_s,
            np.zeros(len(arrays.gpu_s_max)),
            arrays.kv_tokens_max / scale.kv,
            arrays.site_watts_max / scale.watt,
            arrays.budget_usd_per_s / scale.budget,
            arrays.link_bytes_per_s_max / scale.link,
            arrays.group_units_max / scale.group,
            (arrays.gpu_s_max / scale.gpu)[arrays.elastic],
        ]
    )


def prices_of(duals: Any, arrays: Arrays, scale: Scales) -> Prices:
    """Prices in natural units from the solver's row duals (<= 0 when minimising), clipped at 0."""
    price = np.maximum(-np.asarray(duals, float) * scale.worth, 0.0)
    demand, gpu, kv, watt, budget, link, group, _ = np.split(price, row_starts(arrays)[1:-1])
    return Prices(
        demand,
        gpu / scale.gpu,
        kv / scale.kv,
        watt / scale.watt,
        budget / scale.budget,
        link / scale.link,
        group / scale.group,
    )
