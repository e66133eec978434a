"""How does the joint problem read as arrays?

One pass over the structs of `problem.Problem`; everything after it is numpy. A resource that an
activity does not use (no site, no budget, no link) has index -1, which points at one extra last
place.

That pass is nearly all the time of a certificate where activities are structs (8 of 10 ms at
300 x 100), and solver and certificate read the same frozen structs: so the last reading is kept.
Who reads first, the solver's thread, spares it to the event loop. The certificate trusts nobody
more than before: what it gets is this module's own reading of its own problem, told by identity,
in arrays that cannot be written. Activities that come as columns are read where they lie.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flyball.pricing.problem import Activity, Columns, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Column = TypeVar("Column", Floats, Ints)

_INDICES = ("class_index", "pool_index", "budget_index", "link_index")
_AMOUNTS = ("value_usd", "usd", "gpu_s", "kv_token_s", "joules", "link_bytes")


@dataclass(frozen=True, slots=True)
class Uses:
    """What each of n activities uses, per request: each array has shape (n,)."""

    class_index: Ints
    pool_index: Ints
    budget_index: Ints
    link_index: Ints
    value_usd: Floats
    usd: Floats
    gpu_s: Floats
    kv_token_s: Floats
    joules: Floats
    link_bytes: Floats


@dataclass(frozen=True, slots=True)
class Supplies:
    """What one replica of each of k supplies brings and takes: each array has shape (k,).

    `usd_per_s` holds its idle energy too.
    """

    pool_index: Ints
    site_index: Ints
    group_index: Ints
    replicas_max: Floats
    gpu_s: Floats
    kv_tokens: Floats
    usd_per_s: Floats
    watts: Floats
    units: Floats


@dataclass(frozen=True, slots=True)
class Arrays:
    """The problem: uses (n,), demand (C,), pools (P,), sites (S,), budgets (B,), links (L,),
    groups (H,), supplies (k,).

    `uses` of GPU, KV, power and links hold the reserve against uncertain demand; `worth_usd` =
    value - money - energy - egress per request, in the mean and before any shadow price.
    `site_index` is per activity. Right-hand sides carry no extra place. `elastic` = the pools whose
    GPU time is itself decided.
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
    link_bytes_per_s_max: Floats
    group_units_max: Floats
    supplies: Supplies
    elastic: Ints


def _floats(items: tuple[Any, ...], name: str) -> Floats:
    get: Callable[[Any], float] = attrgetter(name)
    return _sealed(np.fromiter(map(get, items), np.float64, len(items)))


def _ints(items: tuple[Any, ...], name: str) -> Ints:
    get: Callable[[Any], int] = attrgetter(name)
    return _sealed(np.fromiter(map(get, items), np.intp, len(items)))


def _sealed(column: Column) -> Column:
    column.setflags(write=False)
    return column


def pack(
    *,
    class_index: Ints,
    pool_index: Ints,
    value_usd: Floats,
    gpu_s: Floats,
    modes: tuple[str, ...] = ("full",),
    **others: Ints | Floats,
) -> Columns:
    """Activities from arrays of one length; of `Columns`' other fields, those left out are not
    used (index -1, amount 0, mode 0). Raises ValueError if a length differs or a name is unknown.
    """
    given: dict[str, Ints | Floats] = {
        "class_index": class_index,
        "pool_index": pool_index,
        "value_usd": value_usd,
        "gpu_s": gpu_s,
        **others,
    }
    count = len(class_index)
    fields: dict[str, bytes] = {}
    for name in (*_INDICES, "mode_index", *_AMOUNTS):
        kind = np.float64 if name in _AMOUNTS else np.intp
        column = given.pop(name, None)
        if column is None:
            column = np.full(count, -1 if name in _INDICES else 0, kind)
        if len(column) != count:
            raise ValueError(f"{name} has {len(column)} entries, class_index {count}")
        fields[name] = np.ascontiguousarray(column, kind).tobytes()
    if given:
        raise ValueError(f"activities have no field {sorted(given)}")
    return Columns(modes=modes, **fields)


# The activities read last, and their columns.
_last_reading: tuple[tuple[Activity, ...] | Columns, Uses] | None = None


def read_uses(activities: tuple[Activity, ...] | Columns) -> Uses:
    """The activities as columns that cannot be written: about 0.03 us for each field of each, and
    nothing for those that were read last or are columns already. Any thread may call it.

    Raises ValueError for columns that differ in length.
    """
    global _last_reading
    last = _last_reading
    if last is not None and last[0] is activities:
        return last[1]
    columns: dict[str, Any] = {}
    if isinstance(activities, Columns):
        for name in (*_INDICES, *_AMOUNTS):
            kind = np.intp if name in _INDICES else np.float64
            columns[name] = np.frombuffer(getattr(activities, name), kind)
        if {len(column) for column in columns.values()} != {len(activities)}:
            raise ValueError("the columns of activities differ in length")
    else:
        columns |= {name: _ints(activities, name) for name in _INDICES}
        columns |= {name: _floats(activities, name) for name in _AMOUNTS}
    uses = Uses(**columns)
    _last_reading = (activities, uses)
    return uses


def read(problem: Problem) -> Arrays:
    """The problem as arrays.

    Raises ValueError, naming the field, for an index out of range, a negative or non-finite
    coefficient or demand, a NaN or negative capacity, or tuples whose lengths do not agree.
    """
    uses = read_uses(problem.activities)
    _check_lengths(problem)
    sites = len(problem.site_watts_max)
    _check_index("class_index", uses.class_index, 0, len(problem.demand_per_s))
    _check_index("pool_index", uses.pool_index, 0, len(problem.pools))
    _check_index("budget_index", uses.budget_index, -1, len(problem.budget_usd_per_s))
    _check_index("link_index", uses.link_index, -1, len(problem.link_bytes_per_s_max))
    site_of_pool = _ints(problem.pools, "site_index")
    if sites:
        _check_index("site_index", site_of_pool, -1, sites)
    else:
        site_of_pool = np.full(len(problem.pools), -1, np.intp)
    site_index = site_of_pool[uses.pool_index]
    usd_per_joule = np.append(np.array(problem.site_usd_per_joule, float), 0.0)
    usd_per_byte = np.append(np.array(problem.link_usd_per_byte, float), 0.0)
    worth = uses.value_usd - uses.usd - uses.joules * usd_per_joule[site_index]
    if problem.link_names:
        worth = worth - uses.link_bytes * usd_per_byte[uses.link_index]
    supplies = _read_supplies(problem, site_of_pool, usd_per_joule)
    arrays = Arrays(
        uses=uses,
        site_index=site_index,
        worth_usd=worth,
        demand_per_s=np.array(problem.demand_per_s, float),
        gpu_s_max=_floats(problem.pools, "gpu_s_max"),
        kv_tokens_max=_floats(problem.pools, "kv_tokens_max"),
        congestion_usd_per_gpu_s=_floats(problem.pools, "congestion_usd_per_gpu_s"),
        site_watts_max=np.array(problem.site_watts_max, float),
        budget_usd_per_s=np.array(problem.budget_usd_per_s, float),
        link_bytes_per_s_max=np.array(problem.link_bytes_per_s_max, float),
        group_units_max=np.array(problem.group_units_max, float),
        supplies=supplies,
        elastic=np.unique(supplies.pool_index),
    )
    _check_numbers(arrays)
    if not problem.risk_z or not problem.demand_sd_per_s:
        return arrays
    return replace(arrays, uses=_reserved(uses, _reserve(problem, uses)))


def _reserve(problem: Problem, uses: Uses) -> Floats:
    """m of each activity (n,): z x pooling of its pool x sd / mean of its class.

    Raises ValueError for a negative or non-finite z or sd, or a pooling outside [0, 1].
    """
    mean = np.array(problem.demand_per_s, float)
    sd, pooling = np.array(problem.demand_sd_per_s, float), _floats(problem.pools, "pooling")
    if not (np.isfinite(sd) & (sd >= 0)).all() or not 0 <= problem.risk_z < np.inf:
        raise ValueError("demand_sd_per_s or risk_z is negative or not finite")
    if not ((pooling >= 0) & (pooling <= 1)).all():
        raise ValueError("pooling of a pool lies outside [0, 1]")
    variation = np.divide(sd, mean, out=np.zeros_like(mean), where=mean > 0)
    return problem.risk_z * variation[uses.class_index] * pooling[uses.pool_index]


def _reserved(uses: Uses, reserve: Floats) -> Uses:
    factor = 1.0 + reserve
    return replace(
        uses,
        gpu_s=uses.gpu_s * factor,
        kv_token_s=uses.kv_token_s * factor,
        joules=uses.joules * factor,
        link_bytes=uses.link_bytes * factor,
    )


def _read_supplies(problem: Problem, site_of_pool: Ints, usd_per_joule: Floats) -> Supplies:
    items = problem.supplies
    pool, group = _ints(items, "pool_index"), _ints(items, "group_index")
    _check_index("pool_index of a supply", pool, 0, len(problem.pools))
    _check_index("group_index of a supply", group, -1, len(problem.group_units_max))
    site, watts = site_of_pool[pool], _floats(items, "watts")
    supplies = Supplies(
        pool_index=pool,
        site_index=site,
        group_index=group,
        replicas_max=_floats(items, "replicas_max"),
        gpu_s=_floats(items, "gpu_s"),
        kv_tokens=_floats(items, "kv_tokens"),
        usd_per_s=_floats(items, "usd_per_s") + watts * usd_per_joule[site],
        watts=watts,
        units=_floats(items, "units"),
    )
    for name in ("replicas_max", "gpu_s", "kv_tokens", "usd_per_s", "watts", "units"):
        _check_column(f"{name} of a supply", getattr(supplies, name))
    return supplies


def _check_lengths(problem: Problem) -> None:
    for names in (
        ("site_names", "site_watts_max", "site_usd_per_joule"),
        ("class_names", "demand_per_s"),
        ("budget_names", "budget_usd_per_s"),
        ("link_names", "link_bytes_per_s_max", "link_usd_per_byte"),
        ("group_names", "group_units_max"),
    ):
        if len({len(getattr(problem, name)) for name in names}) > 1:
            raise ValueError(f"{', '.join(names[:-1])} and {names[-1]} differ in length")
    if problem.demand_sd_per_s and len(problem.demand_sd_per_s) != len(problem.demand_per_s):
        raise ValueError("demand_per_s and demand_sd_per_s differ in length")


def _check_index(name: str, index: Ints, low: int, end: int) -> None:
    if index.size and (index.min() < low or index.max() >= end):
        raise ValueError(f"{name} must lie in [{low}, {end}), got {index.min()}..{index.max()}")


def _check_column(name: str, column: Floats) -> None:
    # Two passes: an infinity is caught by the greatest, a NaN by either comparison.
    if column.size and not (column.min() >= 0.0 and column.max() < np.inf):
        raise ValueError(f"{name} is negative or not finite")


def _check_numbers(arrays: Arrays) -> None:
    uses = arrays.uses
    if not np.isfinite(arrays.worth_usd).all():
        raise ValueError("value_usd, usd, joules or link_bytes of an activity is not finite")
    for name in ("usd", "gpu_s", "kv_token_s", "joules", "link_bytes"):
        _check_column(f"{name} of an activity", getattr(uses, name))
    for name in ("demand_per_s", "gpu_s_max", "congestion_usd_per_gpu_s"):
        _check_column(name, getattr(arrays, name))
    for name in (
        "kv_tokens_max",
        "site_watts_max",
        "budget_usd_per_s",
        "link_bytes_per_s_max",
        "group_units_max",
    ):
        column: Floats = getattr(arrays, name)
        if not (column >= 0).all():
            raise ValueError(f"{name} is negative or not a number")
