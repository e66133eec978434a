"""What time is it, never earlier than before, and which id does the next request get?

The wall clock may step backward (NTP, an operator, a resumed machine); deadlines, record times and
ids must not. So time = wall time at start + monotonic time since, and the difference to the wall
clock is made up slowly, forward only.
"""

import os
import time
from collections.abc import Callable

from flyball.units import MS_PER_S, Ratio, Seconds

SLEW_RATIO_MAX: Ratio = 0.005
COUNTER_MASK = 0xFFFFFF


class Clock:
    """Unix seconds that never go backward, and request ids in the order of their making.

    `wall` and `monotonic` are the system's clocks unless a test gives others.
    """

    __slots__ = ("_anchor", "_boot", "_count", "_monotonic", "_slewed_at", "_wall", "_worker")

    def __init__(
        self,
        worker: int = 0,
        wall: Callable[[], Seconds] = time.time,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        if not 0 <= worker <= 0xFF:
            raise ValueError(f"worker {worker} is not within 0..255: ids give it two hex digits")
        self._wall = wall
        self._monotonic = monotonic
        self._slewed_at = monotonic()
        self._anchor = wall() - self._slewed_at
        self._worker = f"{worker:02x}"
        self._boot = os.urandom(3).hex()[:5]
        self._count = 0

    def now(self) -> Seconds:
        """Unix seconds, never less than an earlier answer."""
        return self._anchor + self._monotonic()

    def slew(self) -> Seconds:
        """Move toward the wall clock, forward only, by at most 0.5 % of the time since the last
        call (the rate limit of adjtime(3)). Returns what is missing still; negative = ahead."""
        monotonic = self._monotonic()
        behind_s = self._wall() - (self._anchor + monotonic)
        step_s = min(max(behind_s, 0.0), SLEW_RATIO_MAX * (monotonic - self._slewed_at))
        self._anchor += step_s
        self._slewed_at = monotonic
        return behind_s - step_s

    def request_id(self, at: Seconds) -> str:
        """`req_` + 11 hex of Unix ms + 2 of the worker + 6 of a counter + 5 drawn at start.

        Unique within a worker up to 16.7 million ids in one millisecond, and across restarts by
        the time and the drawn part; sorts by time.
        """
        self._count = count = (self._count + 1) & COUNTER_MASK
        return f"req_{int(at * MS_PER_S):011x}{self._worker}{count:06x}{self._boot}"
