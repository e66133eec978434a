"""How does the joint problem read as arrays?

One pass over the structs of `problem.Problem`; everything after it is numpy. A resource that an
activity does not use (no site, no budget) has index -1, which points at one extra last place.

That pass is nearly all the time of a certificate (8 of 10 ms at 300 x 100), and solver and
certificate read the same frozen structs: so the last reading is kept. Who reads first, the solver's
thread, spares it to the event loop. The certificate trusts nobody more than before: what it gets is
this module's own reading of its own problem, told by identity, in arrays that cannot be written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flyball.pricing.problem import Activity, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Column = TypeVar("Column", Floats, Ints)


@dataclass(frozen=True, slots=True)
class Uses:
    """What each of n activities uses, per request: each array has shape (n,)."""

    class_index: Ints
    pool_index: Ints
    budget_index: Ints
    value_usd: Floats
    usd: Floats
    gpu_s: Floats
    kv_token_s: Floats
    joules: Floats


@dataclass(frozen=True, slots=True)
class Arrays:
    """The problem: uses (n,), demand (C,), pools (P,), sites (S,), budgets (B,).

    `worth_usd` = value - money - energy per request, before any shadow price. `site_index` is per
    activity. `site_watts_max` and `budget_usd_per_s` carry no extra place.
    """

    uses: Uses
    site_index: Ints
    worth_usd: Floats
    demand_per_s: Floats
    gpu_s_max: Floats
    kv_tokens_max: Floats
    congestion_usd_per_gpu_s: Floats
    site_watts_max: Floats
    budget_usd_per_s: Floats


def _floats(items: tuple[Any, ...], name: str) -> Floats:
    get: Callable[[Any], float] = attrgetter(name)
    return _sealed(np.fromiter(map(get, items), np.float64, len(items)))


def _ints(items: tuple[Any, ...], name: str) -> Ints:
    get: Callable[[Any], int] = attrgetter(name)
    return _sealed(np.fromiter(map(get, items), np.intp, len(items)))


def _sealed(column: Column) -> Column:
    column.setflags(write=False)
    return column


# The tuple read last, and its columns.
_last_reading: tuple[tuple[Activity, ...], Uses] | None = None


def read_uses(activities: tuple[Activity, ...]) -> Uses:
    """The activities as columns that cannot be written: about 0.03 us for each field of each, and
    nothing for the tuple that was read last. Any thread may call it."""
    global _last_reading
    last = _last_reading
    if last is not None and last[0] is activities:
        return last[1]
    uses = Uses(
        class_index=_ints(activities, "class_index"),
        pool_index=_ints(activities, "pool_index"),
        budget_index=_ints(activities, "budget_index"),
        value_usd=_floats(activities, "value_usd"),
        usd=_floats(activities, "usd"),
        gpu_s=_floats(activities, "gpu_s"),
        kv_token_s=_floats(activities, "kv_token_s"),
        joules=_floats(activities, "joules"),
    )
    _last_reading = (activities, uses)
    return uses


def read(problem: Problem) -> Arrays:
    """The problem as arrays.

    Raises ValueError, naming the field, for an index out of range, a negative or non-finite
    coefficient or demand, a NaN or negative capacity, or tuples whose lengths do not agree.
    """
    uses = read_uses(problem.activities)
    site_of_pool = _ints(problem.pools, "site_index")
    sites = len(problem.site_watts_max)
    if len(problem.site_names) != sites or len(problem.site_usd_per_joule) != sites:
        raise ValueError("site_names, site_watts_max and site_usd_per_joule differ in length")
    if len(problem.class_names) != len(problem.demand_per_s):
        raise ValueError("class_names and demand_per_s differ in length")
    if len(problem.budget_names) != len(problem.budget_usd_per_s):
        raise ValueError("budget_names and budget_usd_per_s differ in length")
    _check_index("class_index", uses.class_index, 0, len(problem.demand_per_s))
    _check_index("pool_index", uses.pool_index, 0, len(problem.pools))
    _check_index("budget_index", uses.budget_index, -1, len(problem.budget_usd_per_s))
    if sites:
        _check_index("site_index", site_of_pool, -1, sites)
    else:
        site_of_pool = np.full(len(problem.pools), -1, np.intp)
    site_index = site_of_pool[uses.pool_index]
    usd_per_joule = np.append(np.array(problem.site_usd_per_joule, float), 0.0)
    arrays = Arrays(
        uses=uses,
        site_index=site_index,
        worth_usd=uses.value_usd - uses.usd - uses.joules * usd_per_joule[site_index],
        demand_per_s=np.array(problem.demand_per_s, float),
        gpu_s_max=_floats(problem.pools, "gpu_s_max"),
        kv_tokens_max=_floats(problem.pools, "kv_tokens_max"),
        congestion_usd_per_gpu_s=_floats(problem.pools, "congestion_usd_per_gpu_s"),
        site_watts_max=np.array(problem.site_watts_max, float),
        budget_usd_per_s=np.array(problem.budget_usd_per_s, float),
    )
    _check_numbers(arrays)
    return arrays


def _check_index(name: str, index: Ints, low: int, end: int) -> None:
    if index.size and (index.min() < low or index.max() >= end):
        raise ValueError(f"{name} must lie in [{low}, {end}), got {index.min()}..{index.max()}")


def _check_numbers(arrays: Arrays) -> None:
    uses = arrays.uses
    if not np.isfinite(arrays.worth_usd).all():
        raise ValueError("value_usd, usd or joules of an activity is not finite")
    for name in ("usd", "gpu_s", "kv_token_s", "joules"):
        column: Floats = getattr(uses, name)
        if not (np.isfinite(column) & (column >= 0)).all():
            raise ValueError(f"{name} of an activity is negative or not finite")
    for name in ("demand_per_s", "gpu_s_max", "congestion_usd_per_gpu_s"):
        column = getattr(arrays, name)
        if not (np.isfinite(column) & (column >= 0)).all():
            raise ValueError(f"{name} is negative or not finite")
    for name in ("kv_tokens_max", "site_watts_max", "budget_usd_per_s"):
        column = getattr(arrays, name)
        if not (column >= 0).all():
            raise ValueError(f"{name} is negative or not a number")
