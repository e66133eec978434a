"""How much of something will be asked for in a while, and how sure is that?

Holt's linear trend with a damped trend (Gardner & McKenzie, Management Science 1985): level and
slope follow each reading by a share, what was predicted wrongly one step ahead gives the spread.
Ahead by h steps the trend adds s (phi + phi^2 + ... + phi^h), and the spread grows with sqrt(h), as
of a random walk.
"""

from math import sqrt

from flyball.units import Seconds

LEVEL_SHARE = 0.5
TREND_SHARE = 0.2
DAMPING = 0.95
SPREAD_SHARE = 0.1


class Forecast:
    """One series, read each period. Before the first reading it expects nothing."""

    __slots__ = ("level", "period_s", "readings", "square", "trend")

    def __init__(self, period_s: Seconds) -> None:
        self.period_s = period_s
        self.level = self.trend = self.square = 0.0
        self.readings = 0

    def read(self, value: float) -> None:
        """One more reading, a period after the last."""
        self.readings += 1
        if self.readings == 1:
            self.level = value
            return
        expected = self.level + DAMPING * self.trend
        error = value - expected
        share = max(SPREAD_SHARE, 1.0 / (self.readings - 1))
        self.square += share * (error * error - self.square)
        before, self.level = self.level, expected + LEVEL_SHARE * error
        damped = (1.0 - TREND_SHARE) * DAMPING * self.trend
        self.trend = damped + TREND_SHARE * (self.level - before)

    def ahead(self, after_s: Seconds) -> tuple[float, float]:
        """(mean, standard deviation) of the reading in `after_s` seconds; the mean is never
        negative."""
        steps = max(0.0, after_s / self.period_s)
        grown = self.trend * DAMPING * (1.0 - DAMPING**steps) / (1.0 - DAMPING)
        return max(0.0, self.level + grown), sqrt(self.square * max(1.0, steps))
