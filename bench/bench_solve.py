"""How long does the joint problem take, cold and warm, next to one whole linear program in HiGHS?

Fleets of classes x pools with all limits tight at once (GPU, KV, watts, budgets): harder than most
days. Warm = 20 demands changed by up to 5 %; `measured` = every activity's work changed by up to
5 %. Every answer is certified before its time counts. The rival is the same problem, same pieces of
congestion cost, all activities, one HiGHS call, from nothing. `whole` = the same with replicas that
may stop or start, shared hardware, links and a reserve; `sparse` = 1,000 classes, each at 10 to 30
of 1,000 pools; `period` = from tallies to the question put, and from answer to board, in the core.
Times are CPU times (all is single-threaded), so that neighbours on the machine count for less.
"""

import statistics
import time

import highspy
import msgspec
import numpy as np

import report
from flyball.governor.events import Solved
from flyball.governor.period.price import build_problem, forecast, judge
from flyball.pricing import restricted
from flyball.pricing.arrays import pack, read, read_uses
from flyball.pricing.certify import certify
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Activity, PoolCapacity, Problem
from problems import draw_sparse, governor_with, made_whole

SIZES = ((20, 10, 20.0, 5.0), (100, 30, 50.0, 8.0), (300, 100, 100.0, 10.0))
LOADS = (0.3, 0.6, 1.2)
SEEDS = (1, 2)
WARM = 8
GAP_MAX = 1e-4


def as_columns(problem: Problem) -> Problem:
    """The same with its activities as the core poses them."""
    uses = read_uses(problem.activities)
    amounts = {name: getattr(uses, name) for name in uses.__slots__}
    return msgspec.structs.replace(problem, activities=pack(**amounts))


def draw_problem(seed: int, classes: int, pools: int, load: float) -> Problem:
    """`load` = demanded GPU time / all there is; pools and classes are unlike."""
    draw = np.random.default_rng(seed)
    speed, site = draw.uniform(0.5, 2.0, pools), draw.integers(0, 5, pools)
    size = draw.integers(2, 16, pools).astype(float)
    work = 0.5 * draw.lognormal(0.0, 1.0, classes)
    kept = 2000.0 * draw.lognormal(0.0, 1.0, classes)
    value = work * draw.uniform(0.5e-3, 5e-3, classes)
    gpu_s = work[:, None] / speed * draw.uniform(0.8, 1.2, (classes, pools))
    worth = value[:, None] * draw.uniform(0.8, 1.0, (classes, pools))
    demand = draw.lognormal(0.0, 1.0, classes)
    there = float((size * speed).sum())
    demand *= load * there / float((demand * work).sum())
    return Problem(
        made_at=1.0,
        class_names=tuple(map(str, range(classes))),
        demand_per_s=tuple(demand.tolist()),
        pools=tuple(
            PoolCapacity(
                name=str(p),
                site_index=int(site[p]),
                gpu_s_max=float(size[p]),
                kv_tokens_max=float(size[p] * np.median(kept) * 2.0),
                congestion_usd_per_gpu_s=3e-3,
            )
            for p in range(pools)
        ),
        activities=tuple(
            Activity(
                class_index=c,
                pool_index=p,
                value_usd=float(worth[c, p]),
                usd=float(1e-4 * gpu_s[c, p] * speed[p]),
                gpu_s=float(gpu_s[c, p]),
                kv_token_s=float(kept[c] * gpu_s[c, p]),
                joules=float(300.0 * gpu_s[c, p]),
                budget_index=c % 4,
            )
            for c in range(classes)
            for p in range(pools)
        ),
        site_names=tuple("abcde"),
        site_watts_max=tuple(float(285.0 * size[site == s].sum() + 1.0) for s in range(5)),
        site_usd_per_joule=(3e-8,) * 5,
        budget_names=tuple("abcd"),
        budget_usd_per_s=(2.75e-5 * there,) * 4,
    )


def other_demand(problem: Problem, draw: np.random.Generator) -> Problem:
    """20 demands changed by up to 5 %."""
    demand = np.array(problem.demand_per_s)
    some = draw.choice(len(demand), min(20, len(demand)), replace=False)
    demand[some] *= draw.uniform(0.95, 1.05, len(some))
    return msgspec.structs.replace(problem, demand_per_s=tuple(demand.tolist()))


def other_work(problem: Problem, draw: np.random.Generator) -> Problem:
    """Every activity's GPU time changed by up to 5 %."""
    uses = read_uses(problem.activities)
    amounts = {name: getattr(uses, name) for name in uses.__slots__}
    amounts["gpu_s"] = uses.gpu_s * draw.uniform(0.95, 1.05, len(uses.gpu_s))
    return msgspec.structs.replace(problem, activities=pack(**amounts))


def timed(solver: Solver, problem: Problem) -> tuple[float, float]:
    """Milliseconds to solve, and to certify; an answer that is refused ends the benchmark."""
    began = time.process_time()
    solution = solver.solve(problem)
    solve_ms = (time.process_time() - began) * 1e3
    began = time.process_time()
    certificate = certify(problem, solution, GAP_MAX)
    certify_ms = (time.process_time() - began) * 1e3
    if not certificate.ok:
        raise SystemExit(f"refused: {certificate}")
    return solve_ms, certify_ms


def whole_program_ms(problem: Problem) -> float:
    """Milliseconds of one HiGHS call (primal simplex, its faster one here) on all activities."""
    arrays = read(problem)
    everyone = np.arange(len(arrays.worth_usd))
    grid = restricted.even_grid(len(problem.pools), problem.segments)
    program = restricted.build(arrays, restricted.scales(arrays), everyone, grid)
    columns, rows = len(program.cost), len(program.row_upper)
    highs = highspy.Highs()
    for option, value in (("output_flag", False), ("threads", 1), ("simplex_strategy", 4)):
        highs.setOptionValue(option, value)
    highs.passModel(
        columns,
        rows,
        len(program.rows),
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        0.0,
        program.cost,
        np.zeros(columns),
        program.upper,
        np.full(rows, -np.inf),
        program.row_upper,
        program.starts,
        program.rows,
        program.coefficients,
        np.zeros(columns, np.int32),
    )
    began = time.process_time()
    highs.run()
    return (time.process_time() - began) * 1e3


def row(figure: str, found: list[float], budget: float | None, note: str) -> dict[str, object]:
    """One row: the median, and its spread as least..most."""
    return {
        "figure": figure,
        "value": round(statistics.median(found), 2),
        "unit": "ms",
        "spread": f"{min(found):.2f}..{max(found):.2f}",
        "rival": None,
        "ratio": None,
        "budget": budget,
        "note": note,
    }


def cold_and_warm(problems: list[Problem], solver_s: float = 2.0) -> tuple[list[float], ...]:
    """Milliseconds of each problem from nothing, and of `WARM` that follow each."""
    cold: list[float] = []
    warm: list[float] = []
    for problem in problems:
        solver, draw = Solver(time_max_s=solver_s), np.random.default_rng(1)
        cold.append(timed(solver, problem)[0])
        for _ in range(WARM):
            problem = other_demand(problem, draw)
            warm.append(timed(solver, problem)[0])
    return cold, warm


def whole_rows() -> list[dict[str, object]]:
    """300 x 100 with everything that the joint problem knows."""
    problems = [
        made_whole(as_columns(draw_problem(seed, 300, 100, load)))
        for seed in SEEDS
        for load in LOADS
    ]
    cold, warm = cold_and_warm(problems)
    note = "replicas, shared hardware, reserve at z = 1.64"
    return [
        row("whole cold 300x100", cold, 100.0, note),
        row("whole warm 300x100", warm, 10.0, "20 demands +-5 %"),
    ]


def sparse_rows() -> list[dict[str, object]]:
    """1,000 x 1,000, plain and with replicas and groups."""
    rows: list[dict[str, object]] = []
    for name, is_whole in (("sparse", False), ("sparse whole", True)):
        cold, warm = cold_and_warm([draw_sparse(1, load, is_whole) for load in LOADS], 20.0)
        rows.append(row(f"{name} cold 1000x1000", cold, 1000.0, f"20,000 activities, {LOADS}"))
        rows.append(row(f"{name} warm 1000x1000", warm, None, "20 demands +-5 %"))
    return rows


def period_rows() -> list[dict[str, object]]:
    """What one question and one answer hold the event loop for."""
    rows: list[dict[str, object]] = []
    for name, per_pool in (("300x100", 4), ("300x100, 1,000 replicas", 10)):
        state = governor_with(300, 100, per_pool).state
        posed: list[float] = []
        judged: list[float] = []
        solver = Solver(time_max_s=20.0)
        for at in range(WARM):
            began = time.process_time()
            problem = build_problem(state, float(at), forecast(state))
            posed.append((time.process_time() - began) * 1e3)
            state.problem = problem
            answer = Solved(float(at), solver.solve(problem))
            began = time.process_time()
            if judge(state, answer, []) is None:
                raise SystemExit("refused")
            judged.append((time.process_time() - began) * 1e3)
        rows.append(row(f"period: pose {name}", posed, 5.0, "on the event loop; 45-55 before"))
        rows.append(row(f"period: judge {name}", judged, None, "on the event loop"))
    return rows


def main() -> None:
    """Print and write the rows of all sizes."""
    rows: list[dict[str, object]] = []
    for classes, pools, cold_budget, warm_budget in SIZES:
        cold: list[float] = []
        warm: list[float] = []
        measured: list[float] = []
        judged: list[float] = []
        whole: list[float] = []
        for seed in SEEDS:
            for load in LOADS:
                draw = np.random.default_rng(seed)
                problem, solver = as_columns(draw_problem(seed, classes, pools, load)), Solver()
                cold.append(timed(solver, problem)[0])
                whole.append(whole_program_ms(problem))
                for _ in range(WARM):
                    problem = other_demand(problem, draw)
                    solve_ms, certify_ms = timed(solver, problem)
                    warm.append(solve_ms)
                    judged.append(certify_ms)
                measured.append(timed(solver, other_work(problem, draw))[0])
        size = f"{classes}x{pools}"
        first = row(f"solve cold {size}", cold, cold_budget, f"loads {LOADS}, gap <= 3e-5")
        first["rival"] = f"HiGHS on all activities: {statistics.median(whole):.1f} ms"
        first["ratio"] = round(statistics.median(whole) / statistics.median(cold), 2)
        rows.append(first)
        rows.append(row(f"solve warm {size}", warm, warm_budget, "20 demands +-5 %"))
        rows.append(row(f"solve measured {size}", measured, None, "all work +-5 %"))
        rows.append(row(f"certify {size}", judged, None, ""))
    rows += whole_rows() + sparse_rows() + period_rows()
    report.write("solve", rows)


if __name__ == "__main__":
    main()
