"""Which linear program stands for the joint problem, over a chosen few of its activities?

Columns: first the pieces of every pool's congestion cost, then the chosen activities. A piece j of
pool p carries load between two breakpoints of `grid` at the chord's slope; chords of a convex cost
rise, so an optimum fills them in order. Rows: demand, load balance, KV, watts, budgets. Each row is
divided by its largest coefficient over *all* activities and the objective by the largest worth, so
that absolute tolerances of a solver mean relative ones; scales do not change with capacities.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.pricing.arrays import Arrays, Floats, Ints
from flyball.pricing.lagrangian import Prices

FINEST = 0.002
"""Half-width, in load, of the two pieces next to the last known load: the price error is 2 k u
times half of it, 0.2 % of the full price k."""
WIDEST = 0.3
"""Reach of the outermost breakpoint on either side of the last known load."""
FEWEST = 8
"""With fewer pieces the breakpoints are too coarse for re-centring to converge (measured)."""


@dataclass(frozen=True, slots=True)
class Scales:
    """Row divisors (demand rows have none) and the objective's divisor in USD."""

    gpu: Floats
    kv: Floats
    watt: Floats
    budget: Floats
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
    """Divisors from the activities alone, 1 where nothing is used."""
    uses, pools = arrays.uses, len(arrays.gpu_s_max)
    return Scales(
        gpu=_largest_at(uses.pool_index, uses.gpu_s, pools),
        kv=_largest_at(uses.pool_index, uses.kv_token_s, pools),
        watt=_largest_at(arrays.site_index, uses.joules, len(arrays.site_watts_max)),
        budget=_largest_at(uses.budget_index, uses.usd, len(arrays.budget_usd_per_s)),
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


def grid_around(load: Floats, segments: int) -> Floats:
    """Breakpoints at each pool's load (P,) and at geometric distances from it, and at 0 and 1.

    Near the load the chords follow the true cost closely, further off coarsely: rounds of
    re-centring converge on the optimum of the convex problem with a handful of pieces.
    """
    steps = np.geomspace(FINEST, WIDEST, _reach(segments))
    offsets = np.concatenate([-steps[::-1], [0.0], steps])
    inner = np.clip(np.clip(load, 0.0, 1.0)[:, None] + offsets, 0.0, 1.0)
    ends = np.zeros((len(load), 1))
    return np.concatenate([ends, inner, ends + 1.0], axis=1)


def _slopes(grid: Floats) -> Floats:
    """Chord slopes of u^3/3 between breakpoints a < b: (a^2 + ab + b^2)/3, exact for a = b too."""
    low, high = grid[:, :-1], grid[:, 1:]
    return (low * low + low * high + high * high) / 3.0


def build(arrays: Arrays, scale: Scales, chosen: NDArray[np.intp], grid: Floats) -> Program:
    """The program over the activities `chosen` (m,) and the breakpoints `grid` (P, pieces + 1)."""
    uses = arrays.uses
    classes, pools = len(arrays.demand_per_s), len(arrays.gpu_s_max)
    sites, per_pool = len(arrays.site_watts_max), grid.shape[1] - 1
    at_kv, at_watt = classes + pools, classes + 2 * pools
    at_budget = at_watt + sites
    pool, site = uses.pool_index[chosen], arrays.site_index[chosen]
    budget = uses.budget_index[chosen]
    own_class = uses.class_index[chosen]
    rows = np.stack(
        [own_class, classes + pool, at_kv + pool, at_watt + site, at_budget + budget], axis=1
    )
    coefficients = np.stack(
        [
            np.ones(len(chosen)),
            uses.gpu_s[chosen] / scale.gpu[pool],
            uses.kv_token_s[chosen] / scale.kv[pool],
            uses.joules[chosen] / np.append(scale.watt, 1.0)[site],
            uses.usd[chosen] / np.append(scale.budget, 1.0)[budget],
        ],
        axis=1,
    )
    present = coefficients > 0
    present[:, 3] &= site >= 0
    present[:, 4] &= budget >= 0
    counts = np.concatenate([np.ones(pools * per_pool, int), present.sum(axis=1)])
    full = arrays.congestion_usd_per_gpu_s * scale.gpu
    size = arrays.gpu_s_max / scale.gpu
    balance = np.repeat(classes + np.arange(pools), per_pool)
    return Program(
        cost=np.concatenate([(full[:, None] * _slopes(grid)).ravel(), -arrays.worth_usd[chosen]])
        / scale.worth,
        upper=np.concatenate(
            [(size[:, None] * np.diff(grid, axis=1)).ravel(), np.full(len(chosen), np.inf)]
        ),
        row_upper=row_upper(arrays, scale),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        rows=np.concatenate([balance, rows[present]]).astype(np.int32),
        coefficients=np.concatenate([-np.ones(len(balance)), coefficients[present]]),
    )


def row_upper(arrays: Arrays, scale: Scales) -> Floats:
    """Right-hand sides of all rows, scaled; the load balance of each pool has 0."""
    return np.concatenate(
        [
            arrays.demand_per_s,
            np.zeros(len(arrays.gpu_s_max)),
            arrays.kv_tokens_max / scale.kv,
            arrays.site_watts_max / scale.watt,
            arrays.budget_usd_per_s / scale.budget,
        ]
    )


def prices_of(duals: Any, arrays: Arrays, scale: Scales) -> Prices:
    """Prices in natural units from the solver's row duals (<= 0 when minimising), clipped at 0."""
    price = np.maximum(-np.asarray(duals, float) * scale.worth, 0.0)
    sizes = [
        len(arrays.demand_per_s),
        len(arrays.gpu_s_max),
        len(arrays.gpu_s_max),
        len(arrays.site_watts_max),
    ]
    demand, gpu, kv, watt, budget = np.split(price, np.cumsum(sizes))
    kv, watt, budget = kv / scale.kv, watt / scale.watt, budget / scale.budget
    return Prices(demand, gpu / scale.gpu, kv, watt, budget)
