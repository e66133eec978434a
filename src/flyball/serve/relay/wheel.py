"""Whose time has run out? One timer of the event loop for every deadline of the data plane.

Items wait in buckets: 1 ms wide when due within two seconds, 256 ms otherwise, so that a request
costs two set operations and no timer of its own. An item is due when its `due_at` says so, not its
bucket: moving `due_at` later costs nothing, as the item is then simply put into a later bucket when
its old one opens. Moving it earlier takes another `watch`.
"""

import asyncio
import heapq
from collections.abc import Callable
from math import ceil
from typing import Protocol

from flyball.units import MS_PER_S, Seconds

NEAR_S = 2.0
FAR_S_MAX = 3600.0
FAR_MASK = ~0xFF
MARGIN_MS = 1e-3


class Timed(Protocol):
    """What can wait here. `wheel_key` belongs to the wheel; 0 = not waiting."""

    due_at: Seconds
    wheel_key: int

    def expire(self, now: Seconds) -> None:
        """`due_at` has passed; the item waits no more until it is watched again."""
        ...


class Wheel:
    """Items by the millisecond at which to look at them again; times are those of `now`."""

    __slots__ = ("_armed_key", "_buckets", "_keys", "_loop", "_now", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], Seconds]) -> None:
        self._loop = loop
        self._now = now
        self._buckets: dict[int, set[Timed]] = {}
        self._keys: list[int] = []
        self._armed_key = 0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, item: Timed, now: Seconds) -> None:
        """Let `item` expire at its `due_at`, at most 2 ms late; it may be waiting already."""
        if item.wheel_key:
            self.drop(item)
        at = item.due_at
        if at - now <= NEAR_S:
            key = int(max(at, now) * MS_PER_S) + 1
        else:
            key = int(min(at, now + FAR_S_MAX) * MS_PER_S) & FAR_MASK
        item.wheel_key = key
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.add(item)
            return
        self._buckets[key] = {item}
        heapq.heappush(self._keys, key)
        if not self._armed_key or key < self._armed_key:
            self._arm(key, now)

    def drop(self, item: Timed) -> None:
        """Let `item` wait no more; nothing happens if it was not waiting."""
        bucket = self._buckets.get(item.wheel_key)
        if bucket is not None:
            bucket.discard(item)
        item.wheel_key = 0

    def close(self) -> None:
        """Stop the timer and forget all items."""
        if self._timer is not None:
            self._timer.cancel()
        self._buckets.clear()
        self._keys.clear()

    def _arm(self, key: int, now: Seconds) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_key = key
        # Whole milliseconds, as uvloop rounds to them and must not round down; the margin keeps an
        # exact hit from falling just before its bucket by the last bit of a float.
        wait_ms = ceil(key - now * MS_PER_S + MARGIN_MS)
        self._timer = self._loop.call_later(max(0, wait_ms) / MS_PER_S, self._open)

    def _open(self) -> None:
        now = self._now()
        self._timer = None
        self._armed_key = 0
        while self._keys and self._keys[0] <= now * MS_PER_S:
            for item in self._buckets.pop(heapq.heappop(self._keys)):
                item.wheel_key = 0
                if item.due_at <= now:
                    item.expire(now)
                else:
                    self.watch(item, now)
        if self._keys and (not self._armed_key or self._keys[0] < self._armed_key):
            self._arm(self._keys[0], now)
