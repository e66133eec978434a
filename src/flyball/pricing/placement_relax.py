"""Which promise, rule or limit keeps demand from being served, and what relaxes it most cheaply?

Each relaxation is one change, as small as serves all: a promise, a jurisdiction, watts at a site,
accelerators at a site (with the watts that they need). It is solved again with the change in force
and judged by what the plan then costs. Where several classes fall short, each is looked at alone
too.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from math import ceil, inf

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.model.request import Promise
from flyball.pricing.arrays import Floats
from flyball.pricing.placement import Flow
from flyball.pricing.placement_fit import Fit, Misfit, timed
from flyball.pricing.placement_highs import Fluid, asset_row, least_more, site_row
from flyball.pricing.placement_prices import (
    BOUNDS,
    by_class,
    cost_usd_per_hour,
    with_class,
    with_jurisdictions,
    with_promise,
)
from flyball.pricing.placement_program import WATTS_PER_ROW_UNIT, Program
from flyball.units import MS_PER_S, Usd

_STRETCHES = (1.1, 1.25, 1.5, 2.0, 4.0)
_ROOM = 1.25
"""A bound is set this much above the best that an all but empty replica does."""
_OFFERS_MAX = 3
_MORE_THAN_ROUNDING = 1.0 + 1e-6


class Blocked(Struct, frozen=True, kw_only=True):
    """One flow that is not wholly served. `is_impossible` = no replica may or can serve it;
    `options_barred` counts, by rule, what bars it from options of its model. `needed_ms` = the
    least bound that some allowed replica keeps, by promise that none keeps as it is."""

    flow: str
    unmet_per_s: float
    is_impossible: bool
    options: int
    options_barred: dict[str, int]
    needed_ms: dict[str, float]


class Relaxation(Struct, frozen=True, kw_only=True):
    """One change, and what the fluid plan then costs. It makes all demand servable, or, where
    `class_name` is given, all of that class beside what can be served of the others."""

    change: str
    class_name: str
    cost_usd_per_hour: Usd


def blocked(one: Program, unmet_per_s: Floats) -> list[Blocked]:
    """Every flow that is left out in part, the greatest first."""
    found: list[Blocked] = []
    order: list[int] = np.argsort(-unmet_per_s, kind="stable").tolist()
    for place in order:
        if unmet_per_s[place] <= 0.0:
            break
        flow = one.problem.flows[place]
        each = [one.pairs.found[pair] for pair in one.pairs.of(place)]
        misfits = [fit for fit in each if isinstance(fit, Misfit)]
        needed: dict[str, float] = {}
        for rule in BOUNDS:
            bounds = [m.needed_s for m in misfits if m.rule == rule]
            if bounds and len(misfits) == len(each):
                needed[rule] = MS_PER_S * min(bounds)
        found.append(
            Blocked(
                flow=flow.name,
                unmet_per_s=float(unmet_per_s[place]),
                is_impossible=len(misfits) == len(each),
                options=len(each),
                options_barred=dict(Counter(m.rule for m in misfits)),
                needed_ms=needed,
            )
        )
    return found


def relaxations(one: Program, unmet_per_s: Floats) -> list[Relaxation]:
    """Single changes that serve all, the cheapest plan first; where several classes fall short,
    then those that serve one class more, class by class."""
    found = _singles(one, unmet_per_s, "")
    short = _short(one, unmet_per_s)
    for name, places in short.items() if len(short) > 1 else ():
        others = unmet_per_s.copy()
        others[places] = 0.0
        least = np.maximum(0.0, one.limits.served_min - others * _MORE_THAN_ROUNDING)
        eased = Program(one.problem, one.pairs, one.limits._replace(served_min=least), one.money)
        found += _singles(eased, unmet_per_s - others, name)
    return found


def _singles(one: Program, unmet_per_s: Floats, class_name: str) -> list[Relaxation]:
    solver = Fluid()
    found: list[Relaxation] = []
    for change, changed in _candidates(one, unmet_per_s):
        answer = solver.solve(changed)
        if answer is not None:
            cost = cost_usd_per_hour(changed, answer)
            found.append(Relaxation(change=change, class_name=class_name, cost_usd_per_hour=cost))
    return sorted(found, key=lambda each: each.cost_usd_per_hour)


def _short(one: Program, unmet_per_s: Floats) -> dict[str, list[int]]:
    """Places of the flows of every class that is not wholly served."""
    classes = by_class(one)
    return {
        name: places for name, places in classes.items() if any(unmet_per_s[p] > 0 for p in places)
    }


def _candidates(one: Program, unmet_per_s: Floats) -> Iterator[tuple[str, Program]]:
    for name, places in _short(one, unmet_per_s).items():
        yield from _wider(one, name, places)
        yield from _slower(one, name, places)
    if not any(each.is_impossible for each in blocked(one, unmet_per_s)):
        yield from _more_power(one)
        yield from _more_accelerators(one)


def _wider(one: Program, name: str, places: list[int]) -> Iterator[tuple[str, Program]]:
    allowed = one.problem.flows[places[0]].klass.jurisdictions
    others = sorted({site.jurisdiction for site in one.problem.sites} - set(allowed))
    for where in others if allowed else []:
        widened = with_jurisdictions(*allowed, where)
        yield f"let {name} run in {where}", with_class(one, places, widened)


def _slower(one: Program, name: str, places: list[int]) -> Iterator[tuple[str, Program]]:
    """The promise that an allowed replica keeps; else the least stretch of all bounds that does."""
    promise = one.problem.flows[places[0]].klass.promise
    fluid = Fluid()
    for eased in (*_kept(one, places), *(_stretched(promise, by) for by in _STRETCHES)):
        changed = with_class(one, places, with_promise(eased))
        if eased != promise and fluid.solve(changed) is not None:
            yield f"promise {name} {_difference(promise, eased)}", changed
            break


def _stretched(promise: Promise, by: float) -> Promise:
    return Promise(ttft_s=promise.ttft_s * by, tpot_s=promise.tpot_s * by, e2e_s=promise.e2e_s * by)


def _kept(one: Program, places: list[int]) -> list[Promise]:
    """Promises that some allowed option keeps for all those flows, the least stretched first."""
    found: dict[Promise, float] = {}
    problem = one.problem
    for option in problem.options:
        site = problem.assets[option.asset_index].site_index
        eased = problem.flows[places[0]].klass.promise
        for place in places:
            flow = problem.flows[place]
            allowed = flow.klass.jurisdictions
            is_barred = allowed and problem.sites[site].jurisdiction not in allowed
            if is_barred or option.profile.model != flow.model:
                break
            met = _eased(flow, eased, lambda p, f=flow, o=option, s=site: timed(
                o.profile, f.sizes, p, f.rtt_s[s], problem.in_time
            ))  # fmt: skip
            if met is None:
                break
            eased = met
        else:
            before = problem.flows[places[0]].klass.promise
            found[eased] = sum(
                getattr(eased, f"{b}_s") / getattr(before, f"{b}_s")
                for b in BOUNDS
                if getattr(before, f"{b}_s")
            )
    return sorted(found, key=lambda each: found[each])[:_OFFERS_MAX]


def _eased(
    flow: Flow, promise: Promise, judge: Callable[[Promise], Fit | Misfit]
) -> Promise | None:
    """The promise with each broken bound raised to what can be kept; None if none can be."""
    for _ in BOUNDS:
        found = judge(promise)
        if isinstance(found, Fit):
            return promise
        if found.rule not in BOUNDS or not found.needed_s < flow.klass.deadline_s:
            return None
        promise = replace(promise, **{f"{found.rule}_s": _ROOM * found.needed_s})
    return promise if isinstance(judge(promise), Fit) else None


def _difference(old: Promise, new: Promise) -> str:
    words = [
        f"{bound} {MS_PER_S * getattr(new, f'{bound}_s'):.4g} ms "
        f"instead of {MS_PER_S * getattr(old, f'{bound}_s'):.4g}"
        for bound in BOUNDS
        if getattr(new, f"{bound}_s") != getattr(old, f"{bound}_s")
    ]
    return " and ".join(words)


def _more_power(one: Program) -> Iterator[tuple[str, Program]]:
    for place, site in enumerate(one.problem.sites):
        kw = _kw_short(one, place)
        if kw:
            yield f"give {site.name} {kw:.3g} kW more", _with_watts(one, place, kw)


def _more_accelerators(one: Program) -> Iterator[tuple[str, Program]]:
    """So many more at one site; where its power would not do for them, with as much more power."""
    used = {option.asset_index for option in one.problem.options}
    for place in sorted(used):
        asset = one.problem.assets[place]
        site = one.problem.sites[asset.site_index].name
        count = _count_short(one, place)
        if count is not None:
            yield f"rent {count} more {asset.accelerator} at {site}", _with_rent(one, place, count)
            continue
        fed = _with_watts(one, asset.site_index, inf)
        count = _count_short(fed, place)
        if count is None:
            continue
        rented = _with_rent(one, place, count)
        kw = _kw_short(rented, asset.site_index)
        if kw:
            words = f"rent {count} more {asset.accelerator} at {site} and give it {kw:.3g} kW more"
            yield words, _with_watts(rented, asset.site_index, kw)


def _count_short(one: Program, asset: int) -> int | None:
    """Accelerators short at that asset alone, in whole replicas of its smallest profile."""
    more = least_more(one, asset_row(one, asset))
    if more is None:
        return None
    least = min(o.profile.accelerators for o in one.problem.options if o.asset_index == asset)
    return least * ceil(more * _MORE_THAN_ROUNDING / least)


def _kw_short(one: Program, site: int) -> float | None:
    """kW that are short at that site alone; None if its power has no limit or is not what is."""
    if not np.isfinite(one.limits.watts[site]):
        return None
    more = least_more(one, site_row(one, site))
    return None if more is None else more * _MORE_THAN_ROUNDING


def _with_watts(one: Program, site: int, kw: float) -> Program:
    watts = one.limits.watts.copy()
    watts[site] += WATTS_PER_ROW_UNIT * kw
    return Program(one.problem, one.pairs, one.limits._replace(watts=watts), one.money)


def _with_rent(one: Program, asset: int, count: int) -> Program:
    rent_max = one.limits.rent_max.copy()
    rent_max[asset] += count
    return Program(one.problem, one.pairs, one.limits._replace(rent_max=rent_max), one.money)
