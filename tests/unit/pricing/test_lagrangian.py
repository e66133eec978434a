"""Do the numpy sums equal the textbook's, and is the bound really above every plan?"""

import random

import numpy as np
import pytest

from flyball.pricing import lagrangian
from flyball.pricing.arrays import read
from flyball.pricing.lagrangian import Prices
from flyball.pricing.problem import Problem
from support.problems import problem_of

PROBLEM = problem_of(11, classes=5, pools=4, load=0.8)


def plainly(problem: Problem, rates: list[float]) -> tuple[float, list[float]]:
    """Objective (USD/s) and GPU time per pool, by loops over the structs."""
    gpu = [0.0] * len(problem.pools)
    worth = 0.0
    for a, rate in zip(problem.activities, rates, strict=True):
        gpu[a.pool_index] += a.gpu_s * rate
        energy = a.joules * problem.site_usd_per_joule[problem.pools[a.pool_index].site_index]
        worth += (a.value_usd - a.usd - energy) * rate
    for used, pool in zip(gpu, problem.pools, strict=True):
        if pool.gpu_s_max > 0:
            load = used / pool.gpu_s_max
            worth -= pool.gpu_s_max * pool.congestion_usd_per_gpu_s * load**3 / 3
    return worth, gpu


def test_usage_and_objective_equal_the_loops() -> None:
    draw = random.Random(5)
    arrays = read(PROBLEM)
    rates = [draw.choice((0.0, draw.random())) for _ in PROBLEM.activities]
    worth, gpu = plainly(PROBLEM, rates)
    used = lagrangian.usage(arrays, np.array(rates))
    assert used.gpu.tolist() == pytest.approx(gpu)
    assert lagrangian.objective(
        arrays, np.array(rates), lagrangian.loads(arrays, used)
    ) == pytest.approx(worth)


def test_any_lifted_prices_bound_any_feasible_plan() -> None:
    arrays = read(PROBLEM)
    limit = lagrangian.capacity(arrays)
    for seed in range(200):
        draw = np.random.default_rng(seed)
        other = Prices(*(draw.exponential(1e-3, len(most)) for most in limit))
        other = other._replace(
            kv=other.kv * np.isfinite(limit.kv) * 1e-3,
            watt=other.watt * np.isfinite(limit.watt) * 1e-3,
            budget=other.budget * np.isfinite(limit.budget),
        )
        left = lagrangian.surplus(arrays, other)
        prices = other._replace(demand=lagrangian.demand_prices(arrays, left))
        rates = draw.exponential(1.0, len(left)) * (draw.random(len(left)) < 0.3)
        used = lagrangian.usage(arrays, rates)
        over = max(
            float((u[u > 0] / np.maximum(m[u > 0], 1e-300)).max(initial=1.0))
            for u, m in zip(used, limit, strict=True)
        )
        rates = rates / over
        load = lagrangian.loads(arrays, lagrangian.usage(arrays, rates))
        worth = lagrangian.objective(arrays, rates, load)
        assert worth <= lagrangian.bound(arrays, prices) + 1e-12, f"seed {seed}"


def test_an_unlimited_resource_with_a_price_bounds_nothing() -> None:
    arrays = read(PROBLEM)
    zero = Prices(*(np.zeros(len(most)) for most in lagrangian.capacity(arrays)))
    assert np.isinf(lagrangian.bound(arrays, zero._replace(budget=np.array([0.0, 1e-9]))))
