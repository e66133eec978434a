"""When does each step of a run of like steps end, and which step is the first to end after a time?

Step i of a stretch costs `first + i * slope` femtoseconds, so its first k steps take
k * first + slope * k * (k - 1) / 2: a sum of whole numbers, exact in closed form.
"""

import math

from flyball.sim.steptime import TICKS_PER_S, seconds, ticks_at_or_after
from flyball.units import Seconds

# A root found in floats is off by far less than this part of a step; nearer to a whole number than
# this, whole femtoseconds decide.
_DOUBT = 1e-6


class Stretch:
    """`count` steps from `start` on; `end_s` is when the last of them ends."""

    __slots__ = ("count", "end", "end_s", "first", "slope", "start")

    def __init__(self) -> None:
        self.start = self.end = self.first = self.slope = self.count = 0
        self.end_s: Seconds = 0.0

    def set(self, first: int, slope: int, count: int) -> None:
        """Begin a new run of steps at `start`."""
        self.first = first
        self.slope = slope
        self.count = count
        self.end = end = self.start + count * first + slope * (count * (count - 1) // 2)
        self.end_s = end / TICKS_PER_S

    def set_one(self, ticks: int) -> None:
        """Begin a single step at `start`."""
        self.first, self.slope, self.count = ticks, 0, 1
        self.end = end = self.start + ticks
        self.end_s = end / TICKS_PER_S

    def wait_until(self, at: Seconds) -> None:
        """Let the next steps start at `at`, if that is later."""
        if at > self.end_s:
            self.start = ticks_at_or_after(at)
            self.end_s = seconds(self.start)

    def pass_by(self) -> int:
        """The next steps start where these end; how many femtoseconds these took."""
        span = self.end - self.start
        self.start = self.end
        return span

    def span(self, steps: int) -> int:
        """Femtoseconds that the first `steps` steps take."""
        return steps * self.first + self.slope * (steps * (steps - 1) // 2)

    def end_of(self, step: int) -> Seconds:
        """When step `step`, counted from 1, ends; 0 = the start."""
        return seconds(self.start + self.span(step))

    def until(self, at: Seconds) -> int:
        """The first step, from 1, that ends at or after `at`; the last if none does."""
        gap = at * TICKS_PER_S - self.start
        first, slope, count = self.first, self.slope, self.count
        if gap <= 0:
            root = 0.0
        elif slope:
            half = first - slope / 2
            # Citardauq's form of the root: nothing cancels, however small the slope.
            root = 2 * gap / (half + math.sqrt(half * half + 2 * slope * gap))
        else:
            root = gap / first if first else float(count)
        guess = int(root) + 1
        if _DOUBT < guess - root < 1 - _DOUBT:
            return guess if guess < count else count
        guess = min(max(math.ceil(root), 1), count)
        while guess > 1 and self.end_of(guess - 1) >= at:
            guess -= 1
        while guess < count and self.end_of(guess) < at:
            guess += 1
        return guess

    def done_by(self, now: Seconds) -> int:
        """How many steps have ended at `now`."""
        step = self.until(now)
        return step if self.end_of(step) <= now else step - 1

    def cut(self, at: Seconds) -> None:
        """End with the first step that ends at or after `at`."""
        if at < self.end_s:
            self.count = count = self.until(at)
            self.end = end = (
                self.start + count * self.first + self.slope * (count * (count - 1) // 2)
            )
            self.end_s = end / TICKS_PER_S
