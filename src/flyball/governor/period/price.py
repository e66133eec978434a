"""What should each scarce resource cost: which problem to pose, and may the answer be believed?

`pose` builds the joint problem from estimates; `judge` certifies the answer, smooths the prices
(exponentially, as LP duals jump) and makes the next board. A bad answer changes nothing: the old
board ages until its stated end, after which consumers go on with live prices alone.
"""

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np
from msgspec.structs import replace

from flyball.governor.commands import Command, Record, Solve
from flyball.governor.events import Solved
from flyball.governor.loops.forecast import Forecast
from flyball.governor.period.activities import classes_of, columns
from flyball.governor.period.capacity import capacity
from flyball.governor.state import State
from flyball.governor.tally import RATE_MEMORY_S
from flyball.model.decision import PricesSet
from flyball.model.prices import PoolPrice, PriceBoard
from flyball.pricing.certify import certify
from flyball.pricing.problem import Problem, Solution
from flyball.pricing.risk import pooling, z_of
from flyball.pricing.supply import whole_replicas
from flyball.units import Seconds, Usd, usd_per_joule, usd_per_second

RATE_PER_S_MIN = 1e-3


def pose(state: State, at: Seconds, out: list[Command]) -> None:
    """Ask for new prices when they are due and there is demand to price."""
    if state.solving or at < state.solve_due:
        return
    expected = forecast(state)
    problem = build_problem(state, at, expected)
    if not problem.activities:
        return
    state.solving = True
    state.solve_due = at + state.policy.pricing.solve_interval_s
    state.problem = problem
    out.append(Solve(problem))


def forecast(state: State) -> dict[str, tuple[float, float]]:
    """(mean, standard deviation) of each class's requests per second over the next interval, by
    Holt's damped trend on the class's rate, read once per question.

    A rate is itself an estimate: of Poisson arrivals under exponential memory tau its variance is
    rate / (2 tau) (shot noise; Papoulis, Probability, 10-3), which the forecast's own spread cannot
    undercut. Bursts within an interval are not counted: live state prices those.
    """
    interval_s = state.policy.pricing.solve_interval_s
    found: dict[str, tuple[float, float]] = {}
    for klass in state.policy.classes:
        rate = state.tallies[klass.name].rate_per_s
        series = state.forecasts.get(klass.name)
        if series is None:
            series = state.forecasts[klass.name] = Forecast(interval_s)
        series.read(rate)
        mean, spread = series.ahead(interval_s)
        found[klass.name] = (mean, max(spread, sqrt(rate / (2.0 * RATE_MEMORY_S))))
    return found


def build_problem(state: State, at: Seconds, expected: dict[str, tuple[float, float]]) -> Problem:
    """Classes with demand x ways in which pools may serve them, from the current estimates."""
    fleet, policy = state.fleet, state.policy
    served = tuple(k for k in policy.classes if expected[k.name][0] >= RATE_PER_S_MIN)
    there = capacity(state)
    may_have = np.array([pool.gpu_s_max for pool in there.pools])
    for supply in there.supplies:
        may_have[supply.pool_index] += supply.replicas_max * supply.gpu_s
    links = [s for s in fleet.sites if s.link_bytes_per_s_max < inf or s.link_usd_per_byte]
    link_of = [links.index(site) if site in links else -1 for site in fleet.sites]
    budgets = {name: i for i, budget in enumerate(policy.budgets) for name in budget.classes}
    classes = classes_of(state, served, tuple(expected[klass.name][0] for klass in served), budgets)
    risk = policy.pricing.demand_risk
    return Problem(
        made_at=at,
        class_names=tuple(klass.name for klass in served),
        demand_per_s=tuple(expected[klass.name][0] for klass in served),
        demand_sd_per_s=tuple(expected[klass.name][1] for klass in served),
        risk_z=z_of(risk) if risk > 0.0 else 0.0,
        pools=tuple(there.pools),
        activities=columns(state, classes, there.pools, may_have > 0.0, link_of),
        site_names=tuple(site.name for site in fleet.sites),
        site_watts_max=tuple(there.site_watts_max),
        site_usd_per_joule=tuple(usd_per_joule(site.usd_per_kwh) for site in fleet.sites),
        budget_names=tuple(budget.name for budget in policy.budgets),
        budget_usd_per_s=tuple(usd_per_second(budget.usd_per_hour) for budget in policy.budgets),
        link_names=tuple(site.name for site in links),
        link_bytes_per_s_max=tuple(site.link_bytes_per_s_max for site in links),
        link_usd_per_byte=tuple(site.link_usd_per_byte for site in links),
        group_names=tuple(there.group_names),
        group_units_max=tuple(there.group_units_max),
        supplies=tuple(there.supplies),
    )


def judge(state: State, event: Solved, out: list[Command]) -> PriceBoard | None:
    """The next board, or None (and a record of why) if the answer is not good enough."""
    state.solving = False
    problem, solution = state.problem, event.solution
    pricing = state.policy.pricing
    if problem is None:
        return None
    if solution is None:
        out.append(Record(_refusal(state, event.at, 0.0, 0.0, event.error or "no answer")))
        return None
    verdict = certify(problem, solution, pricing.solver_gap_max)
    if not verdict.ok:
        refusal = _refusal(state, event.at, verdict.gap, solution.solve_s, verdict.reason)
        out.append(Record(refusal))
        return None
    _learn_pooling(state, problem, solution)
    shown, share = state.view.board, pricing.smoothing
    old = state.trims.plan if shown.version and state.trims.plan.version else shown
    plan = state.trims.plan = PriceBoard(
        version=shown.version + 1 if shown.version else state.version_floor + 1,
        made_at=event.at,
        valid_until=event.at + pricing.board_valid_s,
        pools=_smooth(problem, solution, old, share),
        gap=verdict.gap,
        budgets=_named(problem.budget_names, solution.budget_prices, old.budgets, share),
        links=_named(problem.link_names, solution.link_prices, old.links, share),
        groups=_named(problem.group_names, solution.group_prices, old.groups, share),
        replicas=_asked_for(problem, solution),
    )
    return replace(plan, budgets=state.trims.on_top(plan.budgets))


def _learn_pooling(state: State, problem: Problem, solution: Solution) -> None:
    """What this plan shows of how far the peaks of a pool's classes cancel out: the next reserve
    is made with it."""
    share = state.policy.pricing.smoothing
    for pool, found in zip(problem.pools, pooling(problem, solution), strict=True):
        if pool.clock == 1.0:
            state.pooling[pool.name] = _toward(state.pooling.get(pool.name), found, share)


def _named(
    names: Sequence[str], prices: Sequence[Usd], old: tuple[tuple[str, Usd], ...], share: float
) -> tuple[tuple[str, Usd], ...]:
    before = dict(old)
    return tuple(
        (name, _toward(before.get(name), price, share))
        for name, price in zip(names, prices, strict=True)
    )


def _asked_for(problem: Problem, solution: Solution) -> tuple[tuple[str, int], ...]:
    """Whole replicas by pool, those that run anyway included; none where nothing is decided."""
    if not problem.supplies:
        return ()
    counts = {pool.name: 0.0 for pool in problem.pools}
    for pool in problem.pools:
        counts[pool.name] += pool.gpu_s_max
    for supply, count in zip(problem.supplies, whole_replicas(problem, solution), strict=True):
        counts[problem.pools[supply.pool_index].name] += count
    decided = {problem.pools[supply.pool_index].name for supply in problem.supplies}
    return tuple((name, round(count)) for name, count in counts.items() if name in decided)


def _smooth(
    problem: Problem, solution: Solution, old: PriceBoard, share: float
) -> tuple[PoolPrice, ...]:
    """new = old + share * (dual - old); the first board takes the duals as they are."""
    before = {price.pool: price for price in old.pools}
    prices: list[PoolPrice] = []
    for name, places in _by_name(problem).items():
        last = before.get(name)
        gpu, kv, watt, load = _of_pool(problem, solution, places)
        prices.append(
            PoolPrice(
                pool=name,
                usd_per_gpu_second=_toward(last.usd_per_gpu_second if last else None, gpu, share),
                usd_per_kv_token_second=_toward(
                    last.usd_per_kv_token_second if last else None, kv, share
                ),
                usd_per_joule=_toward(last.usd_per_joule if last else None, watt, share),
                load=load,
            )
        )
    return tuple(prices)


def _by_name(problem: Problem) -> dict[str, list[int]]:
    """The places of each pool in the problem: one for each clock it may run at."""
    places: dict[str, list[int]] = {}
    for number, pool in enumerate(problem.pools):
        places.setdefault(pool.name, []).append(number)
    return places


def _of_pool(
    problem: Problem, solution: Solution, places: list[int]
) -> tuple[Usd, Usd, Usd, float]:
    """(GPU price, KV price, joule price, load) of one pool: means over the clocks at which the plan
    runs it, by the GPU time there; at full clock if it runs nothing."""
    first = places[0]
    site = problem.pools[first].site_index
    watt = solution.watt_prices[site] if solution.watt_prices else 0.0
    size = {place: problem.pools[place].gpu_s_max for place in places}
    for supply, count in zip(problem.supplies, solution.replicas, strict=True):
        if supply.pool_index in size:
            size[supply.pool_index] += supply.gpu_s * count
    total = sum(size.values())
    weights = {p: size[p] / total for p in places} if total > 0.0 else {first: 1.0}
    gpu = sum(w * solution.gpu_prices[p] for p, w in weights.items())
    kv = sum(w * solution.kv_prices[p] for p, w in weights.items())
    return gpu, kv, watt, sum(w * solution.pool_loads[p] for p, w in weights.items())


def _toward(old: float | None, new: float, share: float) -> float:
    return new if old is None else old + share * (new - old)


def _refusal(state: State, at: Seconds, gap: float, solve_s: Seconds, reason: str) -> PricesSet:
    return PricesSet(
        id=state.record_id("prices"),
        at=at,
        version=state.view.board.version,
        published=False,
        gap=gap,
        solve_s=solve_s,
        reason=reason,
        prices=(),
    )
