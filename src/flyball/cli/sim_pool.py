"""How do many runs share the machine's cores? (A pool of processes, one run each.)"""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from flyball.cli import sim_input
from flyball.sim.report import Report


def run_one(path: str, changes: tuple[str, ...]) -> bytes:
    """One run of a scenario file with changes; its report as JSON (it crosses processes)."""
    return msgspec.json.encode(sim_input.played(sim_input.load(path, changes)).report)


def read(report: bytes) -> Report:
    """The report that `run_one` returned."""
    return msgspec.json.decode(report, type=Report)


def jobs_default() -> int:
    """As many runs at a time as this process may use cores."""
    return len(os.sched_getaffinity(0))


@contextmanager
def pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that inherit nothing; on an interrupt, what has not begun is given up."""
    made = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield made
    except KeyboardInterrupt:
        made.shutdown(wait=False, cancel_futures=True)
        raise click.Abort() from None
    finally:
        made.shutdown(wait=True, cancel_futures=True)


def each(
    workers: ProcessPoolExecutor, tasks: Iterable[tuple[Any, Callable[..., Any], tuple[Any, ...]]]
) -> Iterator[tuple[Any, Any]]:
    """(key, result) of each task (key, function, arguments), as they end."""
    waiting: dict[Future[Any], Any] = {
        workers.submit(function, *arguments): key for key, function, arguments in tasks
    }
    for done in as_completed(waiting):
        yield waiting[done], done.result()
