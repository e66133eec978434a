"""How is the joint problem solved without the event loop waiting for it?

One worker thread holds the solver (HiGHS lets go of the interpreter's lock while it runs). One
problem at a time: of those that come meanwhile only the newest is kept, and the older is answered
as superseded, so that every `Solve` gets exactly one `Solved`.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

from flyball.governor.events import Solved
from flyball.pricing.problem import Problem, Solution
from flyball.units import Seconds

SOLVE_S_MAX: Seconds = 5.0


class ProblemSolver(Protocol):
    """What is asked of a solver: `flyball.pricing.highs.Solver` is one."""

    def solve(self, problem: Problem) -> Solution: ...


class SolverThread:
    """Answers problems by `on_solved`, called on the loop where `start` was called.

    A problem not answered within `solve_s_max` is answered with an error; the late answer is thrown
    away. `now` gives the time that the event carries.
    """

    def __init__(
        self,
        make_solver: Callable[[], ProblemSolver],
        on_solved: Callable[[Solved], None],
        now: Callable[[], Seconds],
        solve_s_max: Seconds = SOLVE_S_MAX,
    ) -> None:
        self._make_solver = make_solver
        self._on_solved = on_solved
        self._now = now
        self._solve_s_max = solve_s_max
        self._wake = threading.Condition()
        self._waiting: tuple[int, Problem] | None = None
        self._stopping = False
        self._number = 0
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="flyball-solve", daemon=True)

    def start(self) -> None:
        """Begin, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def submit(self, problem: Problem) -> None:
        """Solve this next. Call it on the loop."""
        assert self._loop is not None, "start() comes first"
        self._number += 1
        number = self._number
        with self._wake:
            replaced, self._waiting = self._waiting, (number, problem)
            self._wake.notify()
        if replaced is not None:
            self._answer(replaced[0], None, "superseded by a newer problem")
        self._timers[number] = self._loop.call_later(
            self._solve_s_max,
            self._answer,
            number,
            None,
            f"no answer from the solver within {self._solve_s_max:g} s",
        )

    def stop(self) -> None:
        """Take no more; a solve under way ends by itself and is not answered."""
        with self._wake:
            self._stopping = True
            self._waiting = None
            self._wake.notify()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _answer(self, number: int, solution: Solution | None, error: str) -> None:
        timer = self._timers.pop(number, None)
        if timer is None:
            return
        timer.cancel()
        self._on_solved(Solved(self._now(), solution, error))

    def _run(self) -> None:
        solver: ProblemSolver | None = None
        while True:
            with self._wake:
                while self._waiting is None and not self._stopping:
                    self._wake.wait()
                if self._waiting is None or self._stopping:
                    return
                number, problem = self._waiting
                self._waiting = None
            solution, error = None, ""
            try:
                if solver is None:
                    solver = self._make_solver()
                solution = solver.solve(problem)
            except Exception as fault:  # whatever the solver does, the governor gets an answer
                solver = None
                error = f"{type(fault).__name__}: {fault}"
            self._post(number, solution, error)

    def _post(self, number: int, solution: Solution | None, error: str) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._answer, number, solution, error)
        except RuntimeError:  # the loop was closed: nobody waits for this any more
            self._stopping = True
