"""Does the plant answer a loop's moves as the loop's model says?

After each move by du the model predicts dy = slope du; when the delay is over, what was measured is
set beside it. The ratio of measured to predicted is the regression through the origin over the last
moves; its standard error comes from what the line leaves over. The model is contradicted when even
three standard errors do not bring the ratio above 0 (the wrong sign), or within a factor of 3 of 1
(the wrong size). Demand that changes meanwhile is noise: it widens the error, so that it alone
contradicts nothing.
"""

from collections import deque
from math import sqrt

from flyball.units import Seconds

MOVES_KEPT = 12
MOVES_MIN = 5
SIZE_RATIO_MAX = 3.0
ERRORS = 3.0
TINY = 1e-12


class Response:
    """Moves of one set-point and what came of them."""

    __slots__ = ("_due", "_pairs", "_waiting")

    def __init__(self) -> None:
        self._waiting: tuple[float, float] | None = None
        self._due: Seconds = 0.0
        self._pairs: deque[tuple[float, float]] = deque(maxlen=MOVES_KEPT)

    def moved(self, at: Seconds, predicted: float, before: float, delay_s: Seconds) -> None:
        """A move was made: the sensor reads `before` and should change by `predicted`.

        One that is made before the last was seen is counted with it.
        """
        if self._waiting is not None:
            predicted, before = predicted + self._waiting[0], self._waiting[1]
        self._waiting, self._due = (predicted, before), at + delay_s

    def look(self, at: Seconds, reading: float) -> None:
        """The sensor reads this now."""
        if self._waiting is None or at < self._due:
            return
        predicted, before = self._waiting
        self._waiting = None
        if abs(predicted) > TINY:
            self._pairs.append((predicted, reading - before))

    def ratio(self) -> tuple[float, float] | None:
        """(measured / predicted, its standard error); None before there are enough moves."""
        count = len(self._pairs)
        if count < MOVES_MIN:
            return None
        xx = sum(x * x for x, _ in self._pairs)
        slope = sum(x * y for x, y in self._pairs) / xx
        left = sum((y - slope * x) ** 2 for x, y in self._pairs)
        return slope, sqrt(left / (count - 1) / xx)

    def contradiction(self) -> str:
        """What is wrong, in words; "" = nothing that could not be chance."""
        found = self.ratio()
        if found is None:
            return ""
        slope, error = found
        low, high = slope - ERRORS * error, slope + ERRORS * error
        if high < 0.0:
            return f"measured response has the opposite sign ({slope:.2g} of what was predicted)"
        if low > SIZE_RATIO_MAX or high < 1.0 / SIZE_RATIO_MAX:
            return f"measured response is {slope:.2g} of what was predicted"
        return ""

    def forget(self) -> None:
        """Begin anew (the loop stood still, or its model was changed)."""
        self._waiting = None
        self._pairs.clear()
