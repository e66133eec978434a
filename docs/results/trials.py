"""Has this run been made already, and may another one still begin? (For the result scripts.)

Results of runs are kept in bench/out/trials by content: what the trial says and a digest of the
sources that it depends on, so that a search can go on over days and no run is made twice. A rival's
runs do not depend on the governor's sources.
"""

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import cache
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

import flyball
from flyball.sim.build import build
from flyball.sim.experiments.edges import edge
from flyball.sim.experiments.trial import Trial, scenario
from flyball.sim.experiments.verdict import Outcome, outcome, passes
from flyball.sim.run import run

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = Path(os.environ.get("FLYBALL_TRIALS", ROOT / "bench" / "out" / "trials"))
JOBS = int(os.environ.get("JOBS", "1"))
_SOURCES = Path(flyball.__file__).parent
_WORLD = ("model", "sim", "data", "units.py")
_GOVERNOR = ("governor", "pricing", "diagnosis")


@cache
def code(core: str) -> str:
    """A digest of the sources that a run of this core depends on."""
    digest = sha256()
    for name in _WORLD + (_GOVERNOR if core in ("governor", "observe") else ()):
        place = _SOURCES / name
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.suffix in (".py", ".json") and "experiments" not in file.parts:
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def played(trial: Trial) -> Outcome:
    """What comes of the trial: kept from before, or run now."""
    file = KEPT / f"{trial.key(code(trial.contestant.core))}.json"
    if file.is_file():
        return msgspec.json.decode(file.read_bytes(), type=Outcome)
    shape = scenario(trial)
    fleet, policy = build(shape)
    made = outcome(trial, run(shape, fleet, policy))
    gc.collect()  # a run keeps the collector away from its many objects
    KEPT.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}")
    part.write_bytes(msgspec.json.encode(made))
    part.replace(file)  # two processes may make the same: either whole file is right
    return made


def edge_of(trial: Trial, start: int) -> int:
    """The last step of the grid at which trials like this one pass."""

    def good(step: int) -> bool:
        at = msgspec.structs.replace(trial, step=step)
        return passes(at, played(at))

    return edge(good, start)


class Budget:
    """Seconds of wall clock in which new work may begin."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether nothing new may begin."""
        return time.monotonic() >= self._ends_at


def each(
    budget: Budget, tasks: Iterable[tuple[Any, Callable[..., Any], tuple[Any, ...]]]
) -> Iterator[tuple[Any, Any]]:
    """(key, result) of the tasks (key, function, arguments), JOBS at a time, as they end.

    Those that would begin after the budget's end are left out.
    """
    if JOBS == 1:
        for key, function, arguments in tasks:
            if not budget.is_over:
                yield key, function(*arguments)
        return
    waiting, running = list(tasks)[::-1], dict[Future[Any], Any]()
    with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn")) as workers:
        while waiting or running:
            while waiting and len(running) < JOBS and not budget.is_over:
                key, function, arguments = waiting.pop()
                running[workers.submit(function, *arguments)] = key
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(done), done.result()
