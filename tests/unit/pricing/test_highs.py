"""Does the solver find the optimum, keep it when warm, and stay smooth enough to act on?"""

import math

import msgspec
import numpy as np
import pytest

from flyball.pricing.arrays import pack, read
from flyball.pricing.certify import certify
from flyball.pricing.highs import Solver, _shrink
from flyball.pricing.lagrangian import capacity, usage
from flyball.pricing.problem import Activity, PoolCapacity, Problem, Solution
from support.problems import problem_of, rich_problem_of

GAP_MAX = 1e-4


def one_pool(demand: float, value: float = 2.0, full: float = 1.0, size: float = 10.0) -> Problem:
    """One class (1 GPU-second per request), one pool: solvable by hand."""
    return Problem(
        made_at=1.0,
        class_names=("chat",),
        demand_per_s=(demand,),
        pools=(
            PoolCapacity(
                name="p",
                site_index=-1,
                gpu_s_max=size,
                kv_tokens_max=math.inf,
                congestion_usd_per_gpu_s=full,
            ),
        ),
        activities=(Activity(class_index=0, pool_index=0, value_usd=value, gpu_s=1.0),),
    )


def certified(problem: Problem, solution: Solution) -> None:
    certificate = certify(problem, solution, GAP_MAX)
    assert certificate.ok, certificate


def test_below_capacity_the_price_is_the_marginal_congestion() -> None:
    problem = one_pool(demand=6.0)
    solution = Solver().solve(problem)
    certified(problem, solution)
    assert solution.rates[0] == pytest.approx(6.0)
    assert solution.gpu_prices[0] == pytest.approx(0.6**2, abs=0.003)
    assert solution.demand_prices[0] == pytest.approx(2.0 - 0.6**2, abs=0.003)
    assert solution.objective_usd_per_s == pytest.approx(2 * 6 - 10 * 0.6**3 / 3, rel=1e-6)


def test_congestion_dearer_than_the_value_sheds_demand() -> None:
    problem = one_pool(demand=100.0, value=0.25)
    solution = Solver().solve(problem)
    certified(problem, solution)
    assert solution.pool_loads[0] == pytest.approx(0.5, abs=0.002), "u^2 = 0.25"
    assert solution.gpu_prices[0] == pytest.approx(0.25, rel=1e-6)
    assert solution.demand_prices[0] == pytest.approx(0.0, abs=1e-9)


def test_beyond_capacity_the_price_is_the_value_displaced() -> None:
    problem = one_pool(demand=100.0, value=2.0)
    solution = Solver().solve(problem)
    certified(problem, solution)
    assert solution.pool_loads[0] == pytest.approx(1.0)
    assert solution.gpu_prices[0] == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("field", ["demand", "size", "value", "full"])
def test_zeros(field: str) -> None:
    problem = one_pool(**{"demand": 6.0, field: 0.0})
    solution = Solver().solve(problem)
    certified(problem, solution)
    if field != "full":
        assert solution.rates == (0.0,)


def test_a_fleet_of_nothing() -> None:
    nothing = Problem(made_at=0.0, class_names=(), demand_per_s=(), pools=(), activities=())
    certified(nothing, Solver().solve(nothing))
    idle = msgspec.structs.replace(one_pool(5.0), activities=())
    certified(idle, Solver().solve(idle))


@pytest.mark.parametrize("load", [0.2, 0.7, 1.5])
@pytest.mark.parametrize("seed", range(6))
def test_warm_and_cold_agree(seed: int, load: float) -> None:
    problem = problem_of(seed, classes=12, pools=6, load=load)
    warm = Solver()
    certified(problem, warm.solve(problem))
    draw = np.random.default_rng(seed)
    for _ in range(4):
        wiggle = draw.uniform(0.95, 1.05, len(problem.demand_per_s))
        demand = tuple((np.array(problem.demand_per_s) * wiggle).tolist())
        problem = msgspec.structs.replace(problem, demand_per_s=demand)
        first, fresh = warm.solve(problem), Solver().solve(problem)
        certified(problem, first)
        certified(problem, fresh)
        assert first.objective_usd_per_s == pytest.approx(fresh.objective_usd_per_s, rel=2e-4)


def test_measured_work_and_capacities_may_change_while_warm() -> None:
    problem, solver = problem_of(9, classes=12, pools=6, load=0.9), Solver()
    solver.solve(problem)
    for factor in (1.1, 0.7, 3.0):
        problem = msgspec.structs.replace(
            problem,
            activities=tuple(
                msgspec.structs.replace(a, gpu_s=a.gpu_s * factor, value_usd=a.value_usd * 1.1)
                for a in problem.activities
            ),
            pools=tuple(
                msgspec.structs.replace(p, gpu_s_max=p.gpu_s_max * (i % 2))
                for i, p in enumerate(problem.pools)
            ),
        )
        certified(problem, solver.solve(problem))


def test_another_structure_is_solved_from_new() -> None:
    solver = Solver()
    for seed, classes, pools in ((1, 5, 3), (2, 9, 4), (3, 2, 7), (1, 5, 3)):
        problem = problem_of(seed, classes=classes, pools=pools, load=0.8)
        certified(problem, solver.solve(problem))
    coarse = msgspec.structs.replace(problem, segments=20)
    certified(coarse, solver.solve(coarse))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.9, 1.2])
def test_a_percent_of_demand_moves_no_price_by_more_than_a_segment(load: float) -> None:
    """True where congestion at full load costs what the best request is worth: no price is cut off
    by a hard capacity then, and the dual of the true problem is itself continuous."""
    full = problem_of(4, classes=15, pools=5, load=load, full_price_share=1.0)
    problem = msgspec.structs.replace(
        full,
        pools=tuple(msgspec.structs.replace(p, kv_tokens_max=math.inf) for p in full.pools),
        site_watts_max=(math.inf, math.inf),
        budget_usd_per_s=(math.inf, math.inf),
    )
    price_max = problem.pools[0].congestion_usd_per_gpu_s
    solver, before = Solver(), np.array(0.0)
    steps: list[float] = []
    for tick in range(30):
        demand = tuple(d * 1.01**tick for d in problem.demand_per_s)
        solution = solver.solve(msgspec.structs.replace(problem, demand_per_s=demand))
        prices = np.array(solution.gpu_prices)
        if tick:
            steps.append(float(np.abs(prices - before).max()) / price_max)
        before = prices
    assert 0.0 < max(steps) <= 1 / problem.segments


def test_out_of_time_says_so_and_is_not_published() -> None:
    problem = problem_of(1, classes=40, pools=20, load=0.9)
    solution = Solver(time_max_s=0.0).solve(problem)
    assert solution.status != "optimal"
    assert not certify(problem, solution, GAP_MAX).ok
    assert len(solution.rates) == len(problem.activities)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    Solver().solve(one_pool(3.0))
    assert capfd.readouterr() == ("", "")


def test_a_malformed_problem_is_refused() -> None:
    with pytest.raises(ValueError, match="demand_per_s"):
        Solver().solve(one_pool(demand=math.nan))


def test_what_a_tolerance_left_in_excess_is_taken_back() -> None:
    arrays = read(problem_of(5, classes=4, pools=3, load=0.9))
    rates = np.random.default_rng(5).uniform(0.0, 50.0, len(arrays.worth_usd))
    shrunk = _shrink(arrays, rates)
    assert (shrunk <= rates).all()
    for used, limit in zip(usage(arrays, shrunk), capacity(arrays), strict=True):
        assert (used <= limit * (1 + 1e-12)).all()
    slight = shrunk * 0.5
    assert (_shrink(arrays, slight) == slight).all(), "a feasible plan stays as it is"


@pytest.mark.parametrize(
    ("drawn", "objective", "demand", "gpu", "kv", "loads"),
    [
        (
            (1, 12, 6, 0.3),
            0.04863433870864828,
            0.056455420874326694,
            0.0022038385791940886,
            0.0,
            2.1304446829782595,
        ),
        (
            (2, 12, 6, 0.9),
            0.19727103956448896,
            0.00219743379053883,
            0.012013031751418107,
            5.649513266616515e-06,
            4.942639656582236,
        ),
        (
            (3, 20, 8, 1.5),
            0.12340748692299668,
            0.013266182451772805,
            0.0146590129769957,
            2.2826424512488103e-06,
            6.722468606623424,
        ),
        (
            (4, 30, 10, 0.7),
            0.12826796665692022,
            0.03233067695500576,
            0.00953652801713867,
            0.0,
            5.967369992778197,
        ),
    ],
)
def test_a_problem_without_the_newer_resources_has_the_numbers_it_always_had(
    drawn: tuple[int, int, int, float],
    objective: float,
    demand: float,
    gpu: float,
    kv: float,
    loads: float,
) -> None:
    """Taken from the solver as it was before it knew replicas, links, groups and reserves."""
    seed, classes, pools, load = drawn
    answer = Solver().solve(problem_of(seed, classes, pools, load))
    assert answer.objective_usd_per_s == pytest.approx(objective, rel=1e-9)
    assert sum(answer.demand_prices) == pytest.approx(demand, rel=1e-6)
    assert sum(answer.gpu_prices) == pytest.approx(gpu, rel=1e-6)
    assert sum(answer.kv_prices) == pytest.approx(kv, rel=1e-6)
    assert sum(answer.pool_loads) == pytest.approx(loads, rel=1e-6)


@pytest.mark.parametrize("load", [0.4, 1.2])
def test_a_large_program_is_begun_by_interior_points_and_goes_on_from_a_basis(load: float) -> None:
    """Sparse: each class at a dozen of many pools, so that rows alone make it large."""
    draw = np.random.default_rng(3)
    classes, pools = 500, 500
    own = np.repeat(np.arange(classes), 12)
    there = np.concatenate([draw.choice(pools, 12, replace=False) for _ in range(classes)])
    gpu_s = draw.lognormal(0.0, 0.5, len(own))
    demand = draw.lognormal(0.0, 1.0, classes)
    demand *= load * pools / float(demand.sum())
    problem = Problem(
        made_at=1.0,
        class_names=tuple(map(str, range(classes))),
        demand_per_s=tuple(demand.tolist()),
        pools=tuple(
            PoolCapacity(
                name=str(p),
                site_index=-1,
                gpu_s_max=1.0,
                kv_tokens_max=1e9,
                congestion_usd_per_gpu_s=1e-3,
            )
            for p in range(pools)
        ),
        activities=pack(
            class_index=own,
            pool_index=there,
            value_usd=1e-3 * draw.uniform(0.5, 2.0, len(own)),
            gpu_s=gpu_s,
        ),
    )
    solver = Solver(time_max_s=60.0)
    certified(problem, solver.solve(problem))
    for factor in (1.02, 0.97):
        demand = demand * factor
        problem = msgspec.structs.replace(problem, demand_per_s=tuple(demand.tolist()))
        certified(problem, solver.solve(problem))


def test_pools_alike_are_not_passed_over_for_the_first_of_them() -> None:
    """One product at 60 sites: every class may go anywhere, and all together fill two thirds."""
    classes, pools = 60, 60
    own, there = np.divmod(np.arange(classes * pools), pools)
    problem = Problem(
        made_at=1.0,
        class_names=tuple(map(str, range(classes))),
        demand_per_s=(2.0,) * classes,
        pools=tuple(
            PoolCapacity(
                name=str(p),
                site_index=-1,
                gpu_s_max=3.0,
                kv_tokens_max=math.inf,
                congestion_usd_per_gpu_s=1.0,
            )
            for p in range(pools)
        ),
        activities=pack(
            class_index=own,
            pool_index=there,
            value_usd=np.full(len(own), 2.0),
            gpu_s=np.ones(len(own)),
        ),
    )
    answer = Solver(time_max_s=60.0).solve(problem)
    certified(problem, answer)
    assert answer.pool_loads == pytest.approx((2.0 / 3.0,) * pools, abs=0.02)
    assert answer.gpu_prices == pytest.approx((4.0 / 9.0,) * pools, abs=0.02)


def test_breakpoints_draw_closer_where_a_grid_is_as_good_as_it_gets() -> None:
    """A pool whose capacity is decided, whose gap stood still just above what was asked for."""
    problem = rich_problem_of(495037, 4, 1, 1.0, 1.0)
    certified(problem, Solver().solve(problem))
    # Ten times the solver's own tolerance of 1e-7 is as close as may be asked.
    near = Solver(gap_target=1e-6).solve(problem)
    assert certify(problem, near, 1e-6).ok
