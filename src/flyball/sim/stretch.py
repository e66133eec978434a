"""When does each step of a run of like steps end, and which step is the first to end after a time?

Step i of a stretch costs `first + i * slope` femtoseconds, so its first k steps take
k * first + slope * k * (k - 1) / 2: a sum of whole numbers, exact in closed form.
"""

import math

from flyball.sim.steptime import TICKS_PER_S, seconds
from flyball.units import Seconds

# A root found in floats is off by far less than this part of a step; nearer to a whole number than
# this, whole femtoseconds decide.
_DOUBT = 1e-6


class Stretch:
    """`count` steps from `start` on; `end_s` is when the last of them ends."""

    __slots__ = ("count", "end_s", "first", "slope", "start")

    def __init__(self) -> None:
        self.start = self.first = self.slope = self.count = 0
        self.end_s: Seconds = 0.0

    def set(self, first: int, slope: int, count: int) -> None:
        """Begin a new run of steps at `start`."""
        self.first = first
        self.slope = slope
        self.count = count
        self.end_s = seconds(self.start + count * first + slope * (count * (count - 1) // 2))

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
        if slope:
            half = first - slope / 2
            # Citardauq's form of the root: nothing cancels, however small the slope.
            root = 2 * gap / (half + math.sqrt(half * half + 2 * slope * gap)) if gap > 0 else 0.0
        else:
            root = gap / first if first else float(count)
        guess = math.ceil(root)
        if _DOUBT < guess - root < 1 - _DOUBT:
            return min(max(guess, 1), count)
        guess = min(max(guess, 1), count)
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
            self.count = self.until(at)
            self.end_s = self.end_of(self.count)
