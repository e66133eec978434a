"""Is every answer to the whole problem made worse refused: each rate, each replica, each price?

The judge here is separate from the product: plain loops over the structs, no numpy. It writes the
textbook's Lagrangian with the supplies as columns of their own.
"""

import math

import msgspec
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from flyball.pricing.certify import certify
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Problem, Solution
from support.problems import rich_problem_of

GAP_MAX = 1e-4
PRICES = ("demand", "gpu", "kv", "watt", "budget", "link", "group")

problems = st.builds(
    rich_problem_of,
    seed=st.integers(0, 10**6),
    classes=st.integers(1, 6),
    pools=st.integers(1, 5),
    load=st.floats(0.05, 2.5),
    full_price_share=st.sampled_from((0.0, 0.1, 1.0)),
)


def at(values: tuple[float, ...], place: int) -> float:
    return values[place] if place >= 0 else 0.0


def limits_of(problem: Problem, answer: Solution) -> dict[str, list[float]]:
    """Right-hand sides under the plan's replicas."""
    gpu = [p.gpu_s_max for p in problem.pools]
    kv = [p.kv_tokens_max for p in problem.pools]
    for supply, count in zip(problem.supplies, answer.replicas, strict=True):
        gpu[supply.pool_index] += supply.gpu_s * count
        kv[supply.pool_index] += supply.kv_tokens * count
    return {
        "demand": list(problem.demand_per_s),
        "gpu": gpu,
        "kv": kv,
        "watt": list(problem.site_watts_max),
        "budget": list(problem.budget_usd_per_s),
        "link": list(problem.link_bytes_per_s_max),
        "group": list(problem.group_units_max),
    }


def plain_judgement(problem: Problem, answer: Solution) -> tuple[float, float, float]:
    """(gap, largest relative overuse, largest reduced cost of an activity in USD)."""
    limits = limits_of(problem, answer)
    used = {name: [0.0] * len(limit) for name, limit in limits.items()}
    worth, reduced = 0.0, -math.inf
    assert isinstance(problem.activities, tuple)
    for a, rate in zip(problem.activities, answer.rates, strict=True):
        pool, mean = problem.pools[a.pool_index], problem.demand_per_s[a.class_index]
        more = 1.0
        if mean > 0:
            sd = problem.demand_sd_per_s[a.class_index]
            more += problem.risk_z * pool.pooling * sd / mean
        net = a.value_usd - a.usd - a.joules * problem.site_usd_per_joule[pool.site_index]
        net -= a.link_bytes * at(problem.link_usd_per_byte, a.link_index)
        worth += net * rate
        takes = (
            ("demand", a.class_index, 1.0),
            ("gpu", a.pool_index, a.gpu_s * more),
            ("kv", a.pool_index, a.kv_token_s * more),
            ("watt", pool.site_index, a.joules * more),
            ("budget", a.budget_index, a.usd),
            ("link", a.link_index, a.link_bytes * more),
        )
        for name, place, amount in takes:
            net -= at(getattr(answer, f"{name}_prices"), place) * amount
            if place >= 0:
                used[name][place] += amount * rate
        reduced = max(reduced, net)
    eta = []
    for p, pool in enumerate(problem.pools):
        price, full = answer.gpu_prices[p], pool.congestion_usd_per_gpu_s
        best = min(1.0, math.sqrt(price / full)) if full > 0 else 1.0
        eta.append(price * best - full * best**3 / 3)
        if limits["gpu"][p] > 0:
            load = used["gpu"][p] / limits["gpu"][p]
            worth -= limits["gpu"][p] * full * load**3 / 3
    bound = sum(e * p.gpu_s_max for e, p in zip(eta, problem.pools, strict=True))
    for supply, count in zip(problem.supplies, answer.replicas, strict=True):
        p, site = supply.pool_index, problem.pools[supply.pool_index].site_index
        usd = supply.usd_per_s + supply.watts * problem.site_usd_per_joule[site]
        worth -= usd * count
        used["watt"][site] += supply.watts * count
        if supply.group_index >= 0:
            used["group"][supply.group_index] += supply.units * count
        gain = eta[p] * supply.gpu_s + answer.kv_prices[p] * supply.kv_tokens - usd
        gain -= answer.watt_prices[site] * supply.watts
        gain -= at(answer.group_prices, supply.group_index) * supply.units
        bound += supply.replicas_max * max(0.0, gain)
    base = limits_of(
        problem, msgspec.structs.replace(answer, replicas=(0.0,) * len(answer.replicas))
    )
    over = max(
        (
            count / s.replicas_max - 1 if s.replicas_max else (math.inf if count else 0.0)
            for s, count in zip(problem.supplies, answer.replicas, strict=True)
        ),
        default=0.0,
    )
    for name in PRICES:
        prices: tuple[float, ...] = getattr(answer, f"{name}_prices")
        for most, start, price, amount in zip(
            limits[name], base[name], prices, used[name], strict=True
        ):
            if name != "gpu" and price > 0:
                bound += price * start
            if amount > most:
                over = max(over, amount / most - 1 if most > 0 else math.inf)
    scale = max(abs(bound), abs(worth))
    return ((bound - worth) / scale if scale else 0.0), over, reduced


@given(problem=problems)
@settings(max_examples=120, deadline=None)
def test_every_problem_is_solved_and_certified(problem: Problem) -> None:
    answer = Solver().solve(problem)
    certificate = certify(problem, answer, GAP_MAX)
    assert certificate.ok, certificate
    gap, over, reduced = plain_judgement(problem, answer)
    # Where next to nothing can be earned the relative gap is one of rounding errors.
    assert gap <= GAP_MAX or answer.bound_usd_per_s < 1e-12
    assert over <= 1e-9 and reduced <= 1e-9


@given(
    problem=problems,
    name=st.sampled_from(("rates", "replicas", *(f"{each}_prices" for each in PRICES))),
    place=st.integers(0, 10**6),
    factor=st.sampled_from((0.0, 0.5, 0.9, 1.1, 2.0)),
    extra=st.sampled_from((0.0, 1e-3, 1.0)),
)
@settings(max_examples=500, deadline=None)
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
    gap, over, reduced = plain_judgement(problem, spoilt)
    note(f"gap {gap:.3g} over {over:.3g} reduced {reduced:.3g}")
    verdict = certify(problem, spoilt, GAP_MAX)
    if (gap > 2 * GAP_MAX and answer.bound_usd_per_s > 1e-9) or over > 1e-5 or reduced > 1e-5:
        assert not verdict.ok
    if other == values:
        assert verdict.ok
