"""How do many runs share the machine's cores? (A pool of processes, one run each.)"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, Protocol

import click
import msgspec

from flyball.cli import sim_input
from flyball.sim.report import Report


def run_one(path: str, changes: tuple[str, ...]) -> bytes:
    """One run of a scenario file with changes; its report as JSON (it crosses processes)."""
    return sim_input.reported(sim_input.load(path, changes))


def read(report: bytes) -> Report:
    """The report that `run_one` returned."""
    return msgspec.json.decode(report, type=Report)


def jobs_default() -> int:
    """As many runs at a time as this process may use cores."""
    return len(os.sched_getaffinity(0))


@contextmanager
def pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that inherit nothing; on an interrupt, what has not begun is given up."""
    context = multiprocessing.get_context("spawn")
    made = ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_parent)
    try:
        yield made
    except KeyboardInterrupt:
        made.shutdown(wait=False, cancel_futures=True)
        raise click.Abort() from None
    finally:
        made.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever: it holds both ends."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Workers(Protocol):
    """Who takes tasks: processes of this machine, or other machines."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Begin `function(*arguments)` when there is room."""
        ...


def each(
    workers: Workers, tasks: Iterable[tuple[Any, Callable[..., Any], tuple[Any, ...]]]
) -> Iterator[tuple[Any, Any]]:
    """(key, result) of each task (key, function, arguments), as they end."""
    waiting: dict[Future[Any], Any] = {
        workers.submit(function, *arguments): key for key, function, arguments in tasks
    }
    for done in as_completed(waiting):
        yield waiting[done], done.result()
