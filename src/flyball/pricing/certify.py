"""May this answer be published: is it feasible, and how far from the best can it be?

Nothing the solver says is taken on trust: from the problem and the rates and prices alone the
certificate recomputes feasibility, the objective with the true cubic congestion cost, and the bound
that the prices prove (`lagrangian`). For feasible rates and dual-feasible prices

    bound - objective = sum of price x slack over all resources
                      + sum of rate x (-reduced cost) over all activities
                      + sum over pools of the mismatch between price and marginal congestion
                      + sum over supplies of what is left to gain, or earned below its cost,

each term >= 0, so a small gap is complementary slackness, all of it, in one number.
"""

import math

import numpy as np
from msgspec import Struct

from flyball.pricing.arrays import Arrays, Floats, read
from flyball.pricing.lagrangian import (
    Prices,
    Usage,
    bound,
    capacity,
    demand_prices,
    gap,
    loads,
    objective,
    surplus,
    usage,
)
from flyball.pricing.problem import Problem, Solution
from flyball.units import Ratio

RESIDUAL_MAX = 1e-6
"""Largest violation allowed, relative: ten times the solver's own tolerance of 1e-7."""


class Certificate(Struct, frozen=True, kw_only=True):
    """`ok` = may be published. Gap and residuals are ratios, infinite where not computable.

    `gap` = (bound - objective) / max(|bound|, |objective|), as `lagrangian.gap` defines it.
    `primal_residual` = largest excess over a capacity, relative to it. `dual_residual` = largest
    reduced cost, relative to the gross terms of its activity. `reason` says what was refused, ""
    if nothing was.
    """

    ok: bool
    gap: Ratio
    primal_residual: Ratio
    dual_residual: Ratio
    reason: str = ""


def certify(problem: Problem, solution: Solution, gap_max: Ratio) -> Certificate:
    """Judge `solution`; raises ValueError if the problem itself is malformed (`arrays.read`)."""
    arrays = read(problem)
    rates, replicas = np.array(solution.rates, float), np.array(solution.replicas, float)
    prices = Prices(
        np.array(solution.demand_prices, float),
        np.array(solution.gpu_prices, float),
        np.array(solution.kv_prices, float),
        np.array(solution.watt_prices, float),
        np.array(solution.budget_prices, float),
        np.array(solution.link_prices, float),
        np.array(solution.group_prices, float),
    )
    reason = (
        _unusable(problem, solution)
        or _no_plan(arrays, rates, replicas)
        or _no_prices(arrays, prices)
    )
    if reason:
        return _refusal(reason)
    used = usage(arrays, rates, replicas)
    load = loads(arrays, used, replicas)
    primal = _primal_residual(used, capacity(arrays, replicas))
    dual, lifted = _dual_residual(arrays, prices)
    if not math.isfinite(primal):
        return _refusal("a resource without capacity is used")
    worth = objective(arrays, rates, load, replicas)
    proven = bound(arrays, prices._replace(demand=lifted))
    scale = max(abs(proven), abs(worth))
    found = gap(arrays, worth, proven)
    reason = _too_far(found, primal, dual, gap_max) or _false_claim(
        solution, worth, proven, scale, load
    )
    return Certificate(
        ok=not reason, gap=found, primal_residual=primal, dual_residual=dual, reason=reason
    )


def _refusal(reason: str) -> Certificate:
    nowhere = math.inf
    return Certificate(
        ok=False, gap=nowhere, primal_residual=nowhere, dual_residual=nowhere, reason=reason
    )


def _unusable(problem: Problem, solution: Solution) -> str:
    if solution.status != "optimal":
        return f"the solver ended with status {solution.status!r}"
    if solution.made_at != problem.made_at:
        return f"stale: made for {solution.made_at} s, the problem is of {problem.made_at} s"
    if len(solution.rates) != len(problem.activities):
        return f"rates: {len(solution.rates)} given, {len(problem.activities)} needed"
    if len(solution.pool_loads) != len(problem.pools):
        return f"pool_loads: {len(solution.pool_loads)} given, {len(problem.pools)} needed"
    return ""


def _no_plan(arrays: Arrays, rates: Floats, replicas: Floats) -> str:
    if not np.isfinite(rates).all() or (rates < 0).any():
        return "a rate is negative or not a finite number"
    most = arrays.supplies.replicas_max
    if len(replicas) != len(most):
        return f"replicas: {len(replicas)} given, {len(most)} needed"
    if not np.isfinite(replicas).all() or (replicas < 0).any():
        return "a number of replicas is negative or not finite"
    if (replicas > most * (1.0 + RESIDUAL_MAX)).any():
        return "more replicas of a supply than there may be"
    return ""


def _no_prices(arrays: Arrays, prices: Prices) -> str:
    for name, price, limit in zip(Prices._fields, prices, capacity(arrays), strict=True):
        if len(price) != len(limit):
            return f"{name} prices: {len(price)} given, {len(limit)} needed"
        if not np.isfinite(price).all() or (price < 0).any():
            return f"a {name} price is negative or not a finite number"
        if (price[np.isinf(limit)] > 0).any():
            return f"a {name} price is positive though the resource is unlimited"
    return ""


def _primal_residual(used: Usage, most: Usage) -> float:
    """Largest excess over a capacity, relative to it; infinite if a zero capacity is used."""
    worst = 0.0
    for amount, limit in zip(used, most, strict=True):
        over = amount > limit
        if (limit[over] == 0).any():
            return math.inf
        worst = max(worst, float((amount[over] / limit[over] - 1.0).max(initial=0.0)))
    return worst


def _dual_residual(arrays: Arrays, prices: Prices) -> tuple[float, Floats]:
    """Largest reduced cost relative to its gross terms, and demand prices lifted to remove it."""
    left = surplus(arrays, prices)
    excess = left - prices.demand[arrays.uses.class_index]
    uses = arrays.uses
    paid = arrays.worth_usd - left
    gross = np.abs(arrays.worth_usd) + paid + uses.usd + prices.demand[uses.class_index]
    positive = excess > 0
    worst = float((excess[positive] / gross[positive]).max(initial=0.0))
    return worst, np.maximum(prices.demand, demand_prices(arrays, left))


def _too_far(gap: float, primal: float, dual: float, gap_max: float) -> str:
    if primal > RESIDUAL_MAX:
        return f"a capacity is exceeded by {primal:.2g} of itself"
    if dual > RESIDUAL_MAX:
        return f"prices are not dual feasible: a reduced cost is {dual:.2g} of its terms"
    if not gap <= gap_max:
        return f"the gap {gap:.2g} is above {gap_max:.2g}"
    return ""


def _false_claim(
    solution: Solution, worth: float, proven: float, scale: float, load: Floats
) -> str:
    """The figures that go to people must be those recomputed, to the residual tolerance."""
    allowed = RESIDUAL_MAX * scale
    if not abs(solution.objective_usd_per_s - worth) <= allowed:
        return f"objective claimed {solution.objective_usd_per_s!r}, recomputed {worth!r}"
    if not abs(solution.bound_usd_per_s - proven) <= allowed:
        return f"bound claimed {solution.bound_usd_per_s!r}, recomputed {proven!r}"
    if not (np.abs(np.array(solution.pool_loads, float) - load) <= RESIDUAL_MAX).all():
        return "pool_loads are not those of the rates"
    return ""
