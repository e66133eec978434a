"""How many more steps will a session of this class take, and how many does hardly any take?

A life table over the number of steps: each bucket of `BOUNDS` has a hazard (the chance that a
session ends at a step inside it), estimated from sessions that ended there over steps taken there
(the actuarial estimator; sessions cut short by us count as censored: their steps, not their end).
First guesses weigh as much as `PRIOR_SESSIONS` sessions. With constant hazard h over w steps the
expected steps within are (1 - (1-h)^w) / h, so one pass from the last bucket gives all figures.
"""

from bisect import bisect_right
from math import ceil, log

BOUNDS = (
    0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096,
)  # fmt: skip
PRIOR_SESSIONS = 20.0
# Without any guess: geometric with this mean, believed as little as a few sessions.
MEAN_UNKNOWN = 20.0
WEIGHT_UNKNOWN = 4.0
HAZARD_MIN, HAZARD_MAX = 1e-4, 1.0
TAIL = 1e-3
# Old sessions are forgotten by halves when this many have been learnt.
SESSIONS_KEPT = 4096.0


class Survival:
    """Expected steps left after any number of steps done, and the 99.9 % quantile of all steps."""

    __slots__ = ("_ends", "_exposure", "_hazards", "_left", "learnt", "tail")

    def __init__(self, quantiles: tuple[tuple[float, float], ...] = ()) -> None:
        self._exposure: list[float] = []
        self._ends: list[float] = []
        self._hazards: list[float] = []
        self._left: list[float] = []
        self.learnt = 0.0
        self.tail = 0
        self._seed(quantiles)
        self._refresh()

    def _seed(self, quantiles: tuple[tuple[float, float], ...]) -> None:
        weight = PRIOR_SESSIONS if quantiles else WEIGHT_UNKNOWN
        alive = weight
        for low, high in zip(BOUNDS, (*BOUNDS[1:], 2 * BOUNDS[-1]), strict=True):
            width = high - low
            after = weight * _alive(quantiles, high)
            ended = max(0.0, alive - after)
            hazard = 1.0 - (after / alive) ** (1.0 / width) if alive > 0.0 else 0.0
            self._exposure.append(ended / hazard if hazard > 0.0 else alive * width)
            self._ends.append(ended)
            alive = after

    def ended(self, steps: int, is_whole: bool = True) -> None:
        """A session ended after `steps`; not `is_whole` = it was cut short, by us or a failure."""
        if steps <= 0:
            return
        last = bisect_right(BOUNDS, steps - 1) - 1
        for number in range(last):
            self._exposure[number] += BOUNDS[number + 1] - BOUNDS[number]
        self._exposure[last] += steps - BOUNDS[last]
        if is_whole:
            self._ends[last] += 1.0
            self.learnt += 1.0
            if self.learnt > SESSIONS_KEPT:
                self._forget()
        self._refresh()

    def left(self, done: int) -> float:
        """Expected steps still to come after `done` steps, the one about to be asked included."""
        number = bisect_right(BOUNDS, done) - 1
        hazard = self._hazards[number]
        if number == len(BOUNDS) - 1:
            return 1.0 / hazard
        return _within(hazard, BOUNDS[number + 1] - done, self._left[number + 1])

    def _forget(self) -> None:
        self._exposure = [0.5 * value for value in self._exposure]
        self._ends = [0.5 * value for value in self._ends]
        self.learnt *= 0.5

    def _refresh(self) -> None:
        overall = sum(self._ends) / max(1e-9, sum(self._exposure))
        # A bucket that nobody has reached yet ends sessions like the whole does, weakly.
        self._hazards = [
            min(HAZARD_MAX, max(HAZARD_MIN, (ends + 0.1 * overall) / (exposure + 0.1)))
            for exposure, ends in zip(self._exposure, self._ends, strict=True)
        ]
        left = 1.0 / self._hazards[-1]
        lefts = [left]
        for number in range(len(BOUNDS) - 2, -1, -1):
            left = _within(self._hazards[number], BOUNDS[number + 1] - BOUNDS[number], left)
            lefts.append(left)
        self._left = lefts[::-1]
        self.tail = self._quantile(TAIL)

    def _quantile(self, alive_share: float) -> int:
        """The number of steps that less than this share of the sessions go beyond."""
        alive = 1.0
        for number, hazard in enumerate(self._hazards[:-1]):
            after = alive * (1.0 - hazard) ** (BOUNDS[number + 1] - BOUNDS[number])
            if after < alive_share:
                if hazard >= 1.0:
                    return BOUNDS[number] + 1
                return BOUNDS[number] + ceil(log(alive_share / alive) / log(1.0 - hazard))
            alive = after
        return BOUNDS[-1]


def _alive(quantiles: tuple[tuple[float, float], ...], steps: int) -> float:
    """Share of the sessions that have more than so many steps, by the first guess."""
    if not quantiles:
        return float((1.0 - 1.0 / MEAN_UNKNOWN) ** steps)
    low = (0.0, 0.0)
    for high in quantiles:
        if steps < high[1]:
            part = (steps - low[1]) / (high[1] - low[1])
            return 1.0 - (low[0] + part * (high[0] - low[0]))
        low = high
    return 0.0


def _within(hazard: float, width: int, left_after: float) -> float:
    alive = float((1.0 - hazard) ** width)
    return (1.0 - alive) / hazard + alive * left_after
