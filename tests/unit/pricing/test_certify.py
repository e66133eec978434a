"""Does the certificate refuse every answer that is wrong, and say why?"""

from typing import Any

import msgspec
import pytest

from flyball.pricing.certify import Certificate, certify
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Problem, Solution
from support.problems import problem_of, rich_problem_of

GAP_MAX = 1e-4
PROBLEM = problem_of(21, classes=8, pools=5, load=0.9)
SOLUTION = Solver().solve(PROBLEM)


def judged(**fields: Any) -> Certificate:
    return certify(PROBLEM, msgspec.structs.replace(SOLUTION, **fields), GAP_MAX)


def changed(values: tuple[float, ...], place: int, value: float) -> tuple[float, ...]:
    return (*values[:place], value, *values[place + 1 :])


def test_the_solution_is_certified() -> None:
    certificate = judged()
    assert certificate.ok and certificate.reason == ""
    assert 0.0 <= certificate.gap <= GAP_MAX
    assert certificate.primal_residual < 1e-9 and certificate.dual_residual < 1e-9


@pytest.mark.parametrize("name", ["demand", "gpu", "kv", "watt", "budget"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-12])
def test_prices_that_are_none_are_refused(name: str, value: float) -> None:
    field = f"{name}_prices"
    certificate = judged(**{field: changed(getattr(SOLUTION, field), 0, value)})
    assert not certificate.ok and name in certificate.reason


@pytest.mark.parametrize(
    "field",
    [
        "rates",
        "demand_prices",
        "gpu_prices",
        "kv_prices",
        "watt_prices",
        "budget_prices",
        "pool_loads",
    ],
)
def test_wrong_lengths_are_refused(field: str) -> None:
    for values in ((), getattr(SOLUTION, field)[:-1], (*getattr(SOLUTION, field), 0.0)):
        assert not judged(**{field: values}).ok


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-9])
def test_rates_that_are_none_are_refused(value: float) -> None:
    assert "rate" in judged(rates=changed(SOLUTION.rates, 0, value)).reason


def test_stale_and_unfinished_answers_are_refused() -> None:
    assert "stale" in judged(made_at=SOLUTION.made_at - 1.0).reason
    assert "time limit" in judged(status="time limit").reason


def test_a_price_on_an_unlimited_resource_is_refused() -> None:
    assert "unlimited" in judged(budget_prices=(SOLUTION.budget_prices[0], 1e-6)).reason


def test_overuse_is_refused() -> None:
    busiest = max(range(len(SOLUTION.rates)), key=SOLUTION.rates.__getitem__)
    certificate = judged(rates=changed(SOLUTION.rates, busiest, 1e6))
    assert certificate.primal_residual > 1 and "exceeded" in certificate.reason


def test_a_dual_infeasible_price_is_refused() -> None:
    dearest = max(range(8), key=SOLUTION.demand_prices.__getitem__)
    lower = changed(SOLUTION.demand_prices, dearest, SOLUTION.demand_prices[dearest] * 0.999)
    certificate = judged(demand_prices=lower)
    assert certificate.dual_residual > 1e-6 and "dual feasible" in certificate.reason


def test_prices_all_too_high_leave_a_gap() -> None:
    certificate = judged(demand_prices=tuple(2 * p for p in SOLUTION.demand_prices))
    assert certificate.gap > GAP_MAX and "gap" in certificate.reason


@pytest.mark.parametrize("field", ["objective_usd_per_s", "bound_usd_per_s"])
def test_a_figure_that_was_not_recomputed_is_refused(field: str) -> None:
    certificate = judged(**{field: getattr(SOLUTION, field) * 1.001})
    assert not certificate.ok and "claimed" in certificate.reason


def test_loads_that_are_not_those_of_the_rates_are_refused() -> None:
    assert "pool_loads" in judged(pool_loads=changed(SOLUTION.pool_loads, 0, 0.123)).reason


def test_the_answer_to_another_problem_is_refused() -> None:
    less: Problem = msgspec.structs.replace(
        PROBLEM, demand_per_s=tuple(0.9 * d for d in PROBLEM.demand_per_s)
    )
    assert not certify(less, SOLUTION, GAP_MAX).ok
    assert isinstance(SOLUTION, Solution)


# All seven kinds of resource are scarce in some of these, and each has a price.
WHOLE = [rich_problem_of(seed, classes=10, pools=5, load=1.5) for seed in range(24)]
ANSWERS = [Solver().solve(problem) for problem in WHOLE]
KINDS = ("demand", "gpu", "kv", "watt", "budget", "link", "group")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_each_price_that_matters_made_wrong_is_refused(kind: str, factor: float) -> None:
    field, tried = f"{kind}_prices", 0
    for problem, answer in zip(WHOLE, ANSWERS, strict=True):
        prices: tuple[float, ...] = getattr(answer, field)
        dearest = max(range(len(prices)), key=prices.__getitem__)
        wrong = changed(prices, dearest, prices[dearest] * factor)
        spoilt = msgspec.structs.replace(answer, **{field: wrong})
        if prices[dearest] > 0:
            tried += not certify(problem, spoilt, GAP_MAX).ok
    # An optimum may have more than one set of prices, seldom one twice or half as dear.
    assert tried >= 3


@pytest.mark.parametrize("problem", WHOLE[:8])
def test_replicas_made_wrong_are_refused(problem: Problem) -> None:
    answer = Solver().solve(problem)
    assert certify(problem, answer, GAP_MAX).ok
    for place, supply in enumerate(problem.supplies):
        for wrong in (supply.replicas_max + 0.5, -0.5, float("nan"), float("inf")):
            many = changed(answer.replicas, place, wrong)
            assert not certify(problem, msgspec.structs.replace(answer, replicas=many), 1e9).ok
    for many in ((), (*answer.replicas, 0.0)):
        verdict = certify(problem, msgspec.structs.replace(answer, replicas=many), GAP_MAX)
        assert "replicas" in verdict.reason or len(many) == len(answer.replicas)


def test_an_answer_without_the_new_prices_is_refused() -> None:
    for field in ("link_prices", "group_prices"):
        bare = msgspec.structs.replace(ANSWERS[0], **{field: ()})
        assert not certify(WHOLE[0], bare, GAP_MAX).ok
