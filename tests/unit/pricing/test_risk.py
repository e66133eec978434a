"""Is the reserve the one that draws of demand need?"""

import math

import msgspec
import numpy as np
import pytest

from flyball.pricing.highs import Solver
from flyball.pricing.problem import Activity, PoolCapacity, Problem
from flyball.pricing.risk import covered_z, pooling, z_of

CLASSES = 9
Z = 1.645


def problem(pooled: float = 1.0, risk_z: float = Z) -> Problem:
    """Like classes, one pool that can serve all of them and no more than their reserve."""
    return Problem(
        made_at=1.0,
        class_names=tuple(map(str, range(CLASSES))),
        demand_per_s=(4.0,) * CLASSES,
        demand_sd_per_s=(1.0,) * CLASSES,
        risk_z=risk_z,
        pools=(
            PoolCapacity(
                name="p",
                site_index=-1,
                gpu_s_max=100.0,
                kv_tokens_max=math.inf,
                congestion_usd_per_gpu_s=1e-3,
                pooling=pooled,
            ),
        ),
        activities=tuple(
            Activity(class_index=c, pool_index=0, value_usd=1.0, gpu_s=1.0) for c in range(CLASSES)
        ),
    )


def test_z_is_the_quantile_of_a_normal() -> None:
    assert z_of(0.05) == pytest.approx(1.6449, abs=1e-4)
    assert z_of(0.5) == pytest.approx(0.0, abs=1e-12)
    for risk in (0.0, -0.1, 0.6, math.nan):
        with pytest.raises(ValueError, match="risk"):
            z_of(risk)


@pytest.mark.parametrize("correlation", [0.0, 0.2, 1.0])
def test_pooling_is_the_deviation_of_a_sum(correlation: float) -> None:
    seed = 11
    print("seed", seed)
    posed = problem()
    found = pooling(posed, Solver().solve(posed), correlation)[0]
    draw = np.random.default_rng(seed)
    spread = (1.0 - correlation) * np.eye(CLASSES) + correlation * np.ones((CLASSES, CLASSES))
    load = draw.multivariate_normal(np.full(CLASSES, 4.0), spread, 200_000).sum(axis=1)
    assert found * CLASSES == pytest.approx(float(load.std()), rel=0.01)


def test_a_reserve_made_with_the_plans_own_pooling_is_exceeded_as_often_as_was_asked() -> None:
    """Plan, learn the pooling, plan again with just enough room: the share of draws beyond it."""
    seed = 12
    print("seed", seed)
    first = problem()
    pooled = pooling(first, Solver().solve(first), 0.0)[0]
    assert pooled == pytest.approx(1.0 / math.sqrt(CLASSES))
    second = problem(pooled)
    used = Solver().solve(second).pool_loads[0] * 100.0
    load = np.random.default_rng(seed).normal(4.0, 1.0, (200_000, CLASSES)).sum(axis=1)
    assert float((load > used).mean()) == pytest.approx(0.05, abs=0.004)


def test_risk_is_in_the_price() -> None:
    certain, risky = (Solver().solve(problem(1.0, z)) for z in (0.0, Z))
    assert risky.gpu_prices[0] > 1.5 * certain.gpu_prices[0] > 0.0
    assert risky.demand_prices[0] < certain.demand_prices[0]


def test_what_is_covered_is_told_from_the_plan_and_not_from_what_was_assumed() -> None:
    posed = problem()
    answer = Solver().solve(posed)
    assert covered_z(posed, answer, 1.0)[0] == pytest.approx((100.0 - 36.0) / 9.0)
    assert covered_z(posed, answer, 0.0)[0] == pytest.approx((100.0 - 36.0) / 3.0)
    nothing = msgspec.structs.replace(posed, demand_sd_per_s=())
    assert covered_z(nothing, answer) == (math.inf,)
    assert pooling(nothing, answer) == (1.0,)
