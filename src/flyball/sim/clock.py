"""What happens next in the simulated world, and by which chance?

One heap of (time, order of coming), what comes round beside it in an order of its own (`Round`),
and one stream of chance per subsystem: a subsystem that draws more or less than before does not
disturb the others (common random numbers; Law, *Simulation Modeling and Analysis*, 5th ed.,
ch. 11).
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Protocol

import numpy as np
import xxhash

from flyball.units import Seconds

_BUCKET_S = 1.0
_DRAWS = 4096
# So many timers may wait before those whose owners are over are dropped.
_TIMERS_MIN = 8192

Act = Callable[[Any], None]


class Cancellable(Protocol):
    """What a timer is set for: when it is over, the timer is dropped unseen."""

    is_over: bool


class Round:
    """Things that know their own order, kept out of the heap: far more of them than of all else.

    `next_at` = when the next one is due (`inf` = none), `next_order` = its place among equal times,
    from `Clock.place`. `go` does all that `Clock.is_first` allows, one after the other.
    """

    next_at: Seconds
    next_order: int

    def __init__(self) -> None:
        self.next_at = inf
        self.next_order = 0

    def go(self) -> None:
        """The next one is due."""
        raise NotImplementedError


class Clock:
    """The time, and what is due. Equal times go in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now: Seconds = 0.0
        self.events = 0
        self.beside = Round()
        self._until: Seconds = 0.0
        self._heap: list[tuple[Seconds, int, Act, Any]] = []
        self._order = 0
        self._buckets: dict[int, list[tuple[Seconds, Cancellable, Act]]] = {}
        self._timers = 0
        self._timers_max = _TIMERS_MIN
        self._stopped = False

    def at(self, when: Seconds, act: Act, argument: Any = None) -> None:
        """Call `act(argument)` at `when`; a time that has passed means now."""
        self._order += 1
        heappush(self._heap, (when if when > self.now else self.now, self._order, act, argument))

    def timer(self, when: Seconds, owner: Cancellable, act: Act) -> None:
        """Call `act(owner)` at `when` unless the owner is over by then.

        Most timers of a run (deadlines, patience) never fire: they wait in buckets of a second and
        come to the heap only when their second begins. What is over is not kept until then: at
        thousands of calls a second and minutes of patience that would be gigabytes.
        """
        bucket = int(when / _BUCKET_S)
        if bucket <= int(self.now / _BUCKET_S):
            self.at(when, self._fire, (owner, act))
            return
        waiting = self._buckets.get(bucket)
        if waiting is None:
            waiting = self._buckets[bucket] = []
            self.at(bucket * _BUCKET_S, self._open, bucket)
        waiting.append((when, owner, act))
        self._timers += 1
        if self._timers > self._timers_max:
            self.drop_over()

    def drop_over(self) -> None:
        """Drop the timers of owners that are over; again when twice as many wait as are left."""
        for waiting in self._buckets.values():
            waiting[:] = [timer for timer in waiting if not timer[1].is_over]
        self._timers = sum(map(len, self._buckets.values()))
        self._timers_max = max(_TIMERS_MIN, 2 * self._timers)

    def _open(self, bucket: int) -> None:
        opened = self._buckets.pop(bucket)
        self._timers -= len(opened)
        for when, owner, act in opened:
            if not owner.is_over:
                self.at(when, self._fire, (owner, act))

    def _fire(self, what: tuple[Cancellable, Act]) -> None:
        owner, act = what
        if not owner.is_over:
            act(owner)

    def every(self, period_s: Seconds, act: Callable[[], None], first: Seconds = 0.0) -> None:
        """Call `act()` at `first` and each `period_s` after it, for ever. No drift: k * period."""

        def turn(count: int) -> None:
            self.at(first + (count + 1) * period_s, turn, count + 1)
            act()

        self.at(first, turn, 0)

    def stop(self) -> None:
        """End `run` after what is being done now."""
        self._stopped = True

    def place(self) -> int:
        """The next place in the order of asking, for what a `Round` keeps by itself."""
        self._order += 1
        return self._order

    def is_first(self, at: Seconds, order: int) -> bool:
        """Whether nothing in the heap comes before this, nor the end of the run."""
        if at > self._until or self._stopped:
            return False
        if not self._heap:
            return True
        top = self._heap[0]
        return at < top[0] or (at == top[0] and order < top[1])

    def run(self, until: Seconds) -> None:
        """Let things happen in their order until `stop` is called or the next is after `until`."""
        heap, beside = self._heap, self.beside
        self._stopped, self._until = False, until
        while not self._stopped:
            if beside.next_at < inf and self.is_first(beside.next_at, beside.next_order):
                beside.go()
                continue
            if not heap or heap[0][0] > until:
                break
            when, _, act, argument = heappop(heap)
            self.now = when
            self.events += 1
            act(argument)
        if not self._stopped:
            self.now = max(self.now, until)


class Chance:
    """One stream of chance, drawn ahead in blocks (a single draw costs numpy a microsecond)."""

    def __init__(self, seed: int, name: str) -> None:
        key = xxhash.xxh32_intdigest(name.encode())
        self.rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
        self._drawn: list[float] = []

    def uniform(self) -> float:
        """A number in [0, 1)."""
        if not self._drawn:
            self._drawn = self.rng.random(_DRAWS).tolist()
        return self._drawn.pop()


class Streams:
    """Streams of chance by the name of the subsystem; the same seed and name, the same stream."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def named(self, name: str) -> Chance:
        """A new reader at the beginning of that stream: ask once per subsystem and keep it."""
        return Chance(self.seed, name)
