"""Is every random problem solved and certified, and every answer made worse refused?

The judge here is separate from the product: plain loops over the structs, no numpy.
"""

import math

import msgspec
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from flyball.pricing.certify import certify
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Problem, Solution
from support.problems import problem_of

GAP_MAX = 1e-4

problems = st.builds(
    problem_of,
    seed=st.integers(0, 10**6),
    classes=st.integers(1, 8),
    pools=st.integers(1, 6),
    load=st.floats(0.05, 2.0),
    full_price_share=st.sampled_from((0.0, 0.1, 0.5, 1.0)),
)


def plain_gap(problem: Problem, answer: Solution) -> tuple[float, float, float]:
    """(gap, largest relative overuse, largest reduced cost in USD) by the textbook."""
    used = {
        "demand": [0.0] * len(problem.demand_per_s),
        "gpu": [0.0] * len(problem.pools),
        "kv": [0.0] * len(problem.pools),
        "watt": [0.0] * len(problem.site_watts_max),
        "budget": [0.0] * len(problem.budget_usd_per_s),
    }
    worth, reduced = 0.0, -math.inf
    for a, rate in zip(problem.activities, answer.rates, strict=True):
        site = problem.pools[a.pool_index].site_index
        net = a.value_usd - a.usd - a.joules * problem.site_usd_per_joule[site]
        worth += net * rate
        net -= answer.demand_prices[a.class_index] + answer.gpu_prices[a.pool_index] * a.gpu_s
        net -= answer.kv_prices[a.pool_index] * a.kv_token_s + answer.watt_prices[site] * a.joules
        used["demand"][a.class_index] += rate
        used["gpu"][a.pool_index] += a.gpu_s * rate
        used["kv"][a.pool_index] += a.kv_token_s * rate
        used["watt"][site] += a.joules * rate
        if a.budget_index >= 0:
            net -= answer.budget_prices[a.budget_index] * a.usd
            used["budget"][a.budget_index] += a.usd * rate
        reduced = max(reduced, net)
    bound = 0.0
    for pool, time_used, price in zip(problem.pools, used["gpu"], answer.gpu_prices, strict=True):
        size, full = pool.gpu_s_max, pool.congestion_usd_per_gpu_s
        if size > 0:
            worth -= size * full * (time_used / size) ** 3 / 3
        best = min(1.0, math.sqrt(price / full)) if full > 0 else 1.0
        bound += size * (price * best - full * best**3 / 3)
    limits = {
        "demand": problem.demand_per_s,
        "gpu": [p.gpu_s_max for p in problem.pools],
        "kv": [p.kv_tokens_max for p in problem.pools],
        "watt": problem.site_watts_max,
        "budget": problem.budget_usd_per_s,
    }
    over = 0.0
    for name, limit in limits.items():
        prices: tuple[float, ...] = getattr(answer, f"{name}_prices")
        for most, price, amount in zip(limit, prices, used[name], strict=True):
            if name != "gpu" and price > 0:
                bound += price * most
            if amount > most:
                over = max(over, amount / most - 1 if most > 0 else math.inf)
    scale = max(abs(bound), abs(worth))
    return ((bound - worth) / scale if scale else 0.0), over, reduced


@given(problem=problems)
@settings(max_examples=150, deadline=None)
def test_every_problem_is_solved_and_certified(problem: Problem) -> None:
    answer = Solver().solve(problem)
    certificate = certify(problem, answer, GAP_MAX)
    assert certificate.ok, certificate
    gap, over, reduced = plain_gap(problem, answer)
    assert gap <= GAP_MAX and over <= 1e-9 and reduced <= 1e-9


@given(
    problem=problems,
    name=st.sampled_from(("rates", "demand_prices", "gpu_prices", "kv_prices", "budget_prices")),
    place=st.integers(0, 10**6),
    factor=st.sampled_from((0.0, 0.5, 0.9, 1.1, 2.0)),
    extra=st.sampled_from((0.0, 1e-3, 1.0)),
)
@settings(max_examples=300, deadline=None)
def test_one_number_made_wrong_is_refused(
    problem: Problem, name: str, place: int, factor: float, extra: float
) -> None:
    """Wrong = the plain judge finds it infeasible or far from the optimum (other optima may be)."""
    answer = Solver().solve(problem)
    values: tuple[float, ...] = getattr(answer, name)
    assume(values)
    place %= len(values)
    other = (*values[:place], values[place] * factor + extra, *values[place + 1 :])
    spoilt = msgspec.structs.replace(answer, **{name: other})
    gap, over, reduced = plain_gap(problem, spoilt)
    note(f"gap {gap:.3g} over {over:.3g} reduced {reduced:.3g}")
    wrong = gap > 2 * GAP_MAX or over > 1e-5 or reduced > 1e-5
    verdict = certify(problem, spoilt, GAP_MAX)
    if wrong:
        assert not verdict.ok
    if other == values:
        assert verdict.ok
