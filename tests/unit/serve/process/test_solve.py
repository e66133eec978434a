"""Does each problem get exactly one answer, the newest first, whatever the solver does?"""

import asyncio
import threading
import time
from collections.abc import Callable

from flyball.governor.events import Solved
from flyball.pricing.problem import Problem, Solution
from flyball.serve.process.solve import ProblemSolver, SolverThread


def problem(made_at: float) -> Problem:
    return Problem(made_at=made_at, class_names=(), demand_per_s=(), pools=(), activities=())


def solution(made_at: float) -> Solution:
    return Solution(
        made_at=made_at,
        solve_s=0.0,
        rates=(),
        demand_prices=(),
        gpu_prices=(),
        kv_prices=(),
        watt_prices=(),
        budget_prices=(),
        pool_loads=(),
        objective_usd_per_s=0.0,
        bound_usd_per_s=0.0,
    )


class Gated:
    """Answers when the gate is open; fails on negative times."""

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate

    def solve(self, problem: Problem) -> Solution:
        assert self.gate.wait(5)
        if problem.made_at < 0:
            raise ArithmeticError("no such time")
        return solution(problem.made_at)


def scene(
    act: Callable[[SolverThread, threading.Event], None],
    wanted: int,
    solve_s_max: float = 5.0,
    make: Callable[[threading.Event], ProblemSolver] = Gated,
) -> list[Solved]:
    async def run() -> list[Solved]:
        gate = threading.Event()
        answers: list[Solved] = []
        solver = SolverThread(lambda: make(gate), answers.append, time.monotonic, solve_s_max)
        solver.start()
        act(solver, gate)
        until = time.monotonic() + 5
        while len(answers) < wanted and time.monotonic() < until:
            await asyncio.sleep(0.005)
        gate.set()
        await asyncio.sleep(0.02)
        solver.stop()
        return answers

    return asyncio.run(run())


def made_at(answer: Solved) -> float | None:
    return answer.solution.made_at if answer.solution else None


def test_an_answer_comes_back_on_the_loop() -> None:
    def act(solver: SolverThread, gate: threading.Event) -> None:
        gate.set()
        solver.submit(problem(1.0))

    assert [made_at(answer) for answer in scene(act, 1)] == [1.0]


def test_the_newest_problem_wins_and_the_replaced_is_answered_too() -> None:
    def act(solver: SolverThread, gate: threading.Event) -> None:
        solver.submit(problem(1.0))
        time.sleep(0.05)  # the thread holds the first now
        for at in (2.0, 3.0, 4.0):
            solver.submit(problem(at))
        threading.Timer(0.05, gate.set).start()

    answers = scene(act, 4)
    assert [made_at(answer) for answer in answers] == [None, None, 1.0, 4.0]
    assert {answer.error for answer in answers if answer.solution is None} == {
        "superseded by a newer problem"
    }


def test_an_error_is_an_answer_and_the_next_problem_is_solved() -> None:
    def act(solver: SolverThread, gate: threading.Event) -> None:
        gate.set()
        solver.submit(problem(-1.0))
        time.sleep(0.05)
        solver.submit(problem(2.0))

    answers = scene(act, 2)
    assert answers[0].error == "ArithmeticError: no such time"
    assert made_at(answers[1]) == 2.0


def test_a_solver_that_hangs_is_answered_once_and_its_late_result_is_thrown_away() -> None:
    answers = scene(lambda solver, _: solver.submit(problem(1.0)), 1, solve_s_max=0.05)
    assert len(answers) == 1 and answers[0].solution is None
    assert "within 0.05 s" in answers[0].error


def test_a_solver_that_cannot_be_made_is_an_error() -> None:
    def broken(_: threading.Event) -> ProblemSolver:
        raise ImportError("no solver here")

    answers = scene(lambda solver, _: solver.submit(problem(1.0)), 1, make=broken)
    assert answers[0].error == "ImportError: no solver here"
