"""How long does the gateway itself stand still, and how is garbage collected without being noticed?

CPython's collector stops the loop for a time that grows with the objects alive. Here everything
alive after start is frozen, automatic collection is off, and young objects are collected when the
loop has nothing else to do, or at the latest when `young_max` of them wait; what survives is frozen
too, so that no collection ever looks at more than what came since the last. A full one is made only
when nothing is in flight.
"""

import asyncio
import gc
import time
from bisect import bisect_left
from collections.abc import Callable

from flyball.units import Ratio, Seconds

TICK_S: Seconds = 0.005
RECENT_MAX = 10_000
YOUNG_IDLE_MIN = 500
YOUNG_MAX = 10_000
QUIET_S_BEFORE_FULL: Seconds = 1.0
FULL_EVERY_S: Seconds = 600.0
BOUNDS_S: tuple[Seconds, ...] = (
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
)  # fmt: skip


class Pauses:
    """Counts of pauses by length: `counts[i]` of at most `BOUNDS_S[i]`, the last of any more."""

    __slots__ = ("counts", "longest_s", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.longest_s: Seconds = 0.0
        self.total = 0

    def add(self, pause_s: Seconds) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, pause_s)] += 1
        self.total += 1
        self.longest_s = max(self.longest_s, pause_s)

    def quantile(self, ratio: Ratio) -> Seconds:
        """A bound under which that share of all pauses lies; 0 if none was counted."""
        wanted = ratio * self.total
        seen = 0
        for bound, count in zip((*BOUNDS_S, self.longest_s), self.counts, strict=True):
            seen += count
            if seen >= wanted:
                return min(bound, self.longest_s)
        return self.longest_s


class PauseMeter:
    """Looks at the loop every `tick_s`: how late is it, and how much of that was its own work?

    `lags` also hold what the machine did instead (other processes); `own` only this thread's CPU
    time; `collections` only the collector's. Start it once the program is set up.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        is_quiet: Callable[[], bool],
        tick_s: Seconds = TICK_S,
    ) -> None:
        self._loop = loop
        self._is_quiet = is_quiet
        self._tick_s = tick_s
        self._due_at: Seconds = 0.0
        self._cpu_at: Seconds = 0.0
        self._quiet_since: Seconds = 0.0
        self._full_at: Seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._recent: list[Seconds] = []
        self.lags = Pauses()
        self.own = Pauses()
        self.collections = Pauses()

    def start(self) -> None:
        """Freeze what is alive, take over collection, begin to measure."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._quiet_since = self._full_at = time.monotonic()
        self._timer = self._loop.call_later(self._tick_s, self._schedule)

    def stop(self) -> None:
        """Give collection back to CPython."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gc.unfreeze()
        gc.enable()

    def take(self) -> list[Seconds]:
        """The gateway's own pauses since the last call (for telemetry), at most `RECENT_MAX`."""
        recent, self._recent = self._recent, []
        return recent

    def _schedule(self) -> None:
        # The loop's own time, which uvloop counts in whole milliseconds since its last turn: with
        # any other start the rounding of timers would look like a pause of up to 1 ms.
        self._due_at = self._loop.time() + self._tick_s
        self._cpu_at = time.thread_time()
        self._timer = self._loop.call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        lag_s = max(0.0, now - self._due_at)
        self.lags.add(lag_s)
        own_s = min(lag_s, time.thread_time() - self._cpu_at)
        self.own.add(own_s)
        if len(self._recent) < RECENT_MAX:
            self._recent.append(own_s)
        if not self._is_quiet():
            self._quiet_since = now
        self._collect(now, lag_s)
        self._schedule()

    def _collect(self, now: Seconds, lag_s: Seconds) -> None:
        """Collect if it is due and the loop is not behind, or if it can wait no longer."""
        young = gc.get_count()[0]
        quiet_s = now - self._quiet_since
        if quiet_s > QUIET_S_BEFORE_FULL and now - self._full_at > FULL_EVERY_S:
            self._full_at = now
            gc.unfreeze()
            self._run(2)
        elif young > YOUNG_MAX or (young > YOUNG_IDLE_MIN and lag_s < self._tick_s):
            self._run(0)

    def _run(self, generation: int) -> None:
        began = time.perf_counter()
        gc.collect(generation)
        gc.freeze()
        self.collections.add(time.perf_counter() - began)
