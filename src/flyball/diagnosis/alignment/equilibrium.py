"""Where do loops settle that each do their own best, and what does that lose against the optimum?

The settled point is a Nash equilibrium, found as a fixed point of best responses; the joint optimum
is the best of the same function over the same limits. `coherence` = value settled / value optimal.
Bounds from theory (price of anarchy) are poor guides, so the instance itself is computed: over the
fluid model in microseconds per call, or over the twin, whose calls `calls_max` bounds.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, np.dtype[np.float64]]
COHERENCE_MIN: Ratio = 0.95
GRID = 9
TOLERANCE: Ratio = 1e-3
ROUNDS_MAX = 40
_GOLDEN = (5.0**0.5 - 1.0) / 2.0


class Outcome(Struct, frozen=True, kw_only=True):
    """What the actuators' set-points give: each loop's own cost, and the value of the whole."""

    costs: Array
    value: float


World = Callable[[Array], Outcome]


class TooManyCalls(Exception):
    """The world was asked more often than it may be."""


class Coherence(Struct, frozen=True, kw_only=True):
    """`settled` and `best` are set-points (actuators,), `values` what they are worth.

    `is_settled` false = best responses go round without end, and `settled` is their mean.
    `places` = how many unlike resting places the starts led to; `settled` is the worst of them.
    """

    settled: Array
    best: Array
    settled_value: float
    best_value: float
    is_settled: bool
    places: int
    calls: int

    @property
    def ratio(self) -> Ratio:
        """Value settled / value of the joint optimum; 1 = the loops lose nothing to each other."""
        return self.settled_value / self.best_value if self.best_value > 0.0 else 1.0


class _Asked:
    """The world with a memory and a count."""

    def __init__(self, world: World, calls_max: int) -> None:
        self.world, self.calls_max = world, calls_max
        self.known: dict[bytes, Outcome] = {}

    def __call__(self, at: Array) -> Outcome:
        key = at.tobytes()
        if key not in self.known:
            if len(self.known) >= self.calls_max:
                raise TooManyCalls(
                    f"the world was asked {self.calls_max} times: allow more, or less accuracy"
                )
            self.known[key] = self.world(at)
        return self.known[key]


def coherence(
    world: World,
    low: Array,
    high: Array,
    owns: Sequence[int],
    starts: Sequence[Array] = (),
    tolerance: Ratio = TOLERANCE,
    calls_max: int = 20_000,
) -> Coherence:
    """Compare where loops settle with the joint optimum, between `low` and `high` (actuators,).

    `owns` = the actuator that each loop moves. Starts: those given, the middle and both ends.
    Raises TooManyCalls, and ValueError for limits that do not fit.
    """
    if low.shape != high.shape or not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("every actuator needs a finite lower and upper limit")
    if (high < low).any() or not all(0 <= own < len(low) for own in owns):
        raise ValueError("limits must be in order, and each loop must own one of the actuators")
    asked = _Asked(world, calls_max)
    begins = [*starts, (low + high) / 2.0, low.copy(), high.copy()]
    rests = [_settle(asked, low, high, owns, begin, tolerance) for begin in begins]
    places = _unlike([point for point, _ in rests], high - low, 10.0 * tolerance)
    settled, is_settled = min(rests, key=lambda rest: asked(rest[0]).value)
    tops = [_climb(asked, low, high, begin, tolerance) for begin in [*begins, settled]]
    best = max(tops, key=lambda point: asked(point).value)
    return Coherence(
        settled=settled,
        best=best,
        settled_value=asked(settled).value,
        best_value=asked(best).value,
        is_settled=is_settled,
        places=places,
        calls=len(asked.known),
    )


def _settle(
    asked: _Asked, low: Array, high: Array, owns: Sequence[int], begin: Array, tolerance: Ratio
) -> tuple[Array, bool]:
    """Best responses in turn; where they go round, half steps; then the mean of the last rounds."""
    at = np.clip(begin, low, high)
    widths = np.where(high > low, high - low, 1.0)
    trail: list[Array] = []
    for turn in range(ROUNDS_MAX):
        before = at.copy()
        for loop, own in enumerate(owns):
            wish = _line(lambda u, loop=loop: -asked(u).costs[loop], at, own, low, high, tolerance)
            share = 1.0 if turn < ROUNDS_MAX // 2 else 0.5
            at = at.copy()
            at[own] += share * (wish - at[own])
        trail.append(at)
        if float(np.abs((at - before) / widths).max()) <= 2.0 * tolerance:
            return at, True
    return np.mean(trail[-ROUNDS_MAX // 4 :], axis=0), False


def _climb(asked: _Asked, low: Array, high: Array, begin: Array, tolerance: Ratio) -> Array:
    """The best point from there: along each actuator, then along the way gone (Hooke & Jeeves)."""
    at = np.clip(begin, low, high)
    for _ in range(ROUNDS_MAX):
        before, worth = at, asked(at).value
        for own in range(len(at)):
            at = at.copy()
            at[own] = _line(lambda u: asked(u).value, at, own, low, high, tolerance)
        for reach in (1.0, 2.0, 4.0, 8.0):
            further = np.clip(before + (1.0 + reach) * (at - before), low, high)
            if asked(further).value > asked(at).value:
                at = further
        if asked(at).value - worth <= tolerance * tolerance * max(1e-12, abs(worth)):
            return at
    return at


def _line(
    worth: Callable[[Array], float],
    at: Array,
    own: int,
    low: Array,
    high: Array,
    tolerance: Ratio,
) -> float:
    """The best place of one actuator, the others where they are: the best cell of a grid (the
    function may have several tops), then golden sections in it. A tie leaves it where it stands."""

    def value(place: float) -> float:
        point = at.copy()
        point[own] = place
        return worth(point)

    grid = np.linspace(low[own], high[own], GRID)
    heights = [value(float(place)) for place in grid]
    top = int(np.argmax(heights))
    left, right = float(grid[max(0, top - 1)]), float(grid[min(GRID - 1, top + 1)])
    a, b = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
    at_a, at_b = value(a), value(b)
    while right - left > tolerance * (high[own] - low[own]):
        if at_a >= at_b:
            right, b, at_b = b, a, at_a
            a = right - _GOLDEN * (right - left)
            at_a = value(a)
        else:
            left, a, at_a = a, b, at_b
            b = left + _GOLDEN * (right - left)
            at_b = value(b)
    found = max(((at_a, a), (at_b, b), (heights[top], float(grid[top]))))
    return float(at[own]) if value(float(at[own])) >= found[0] else found[1]


def _unlike(points: Sequence[Array], widths: Array, share: Ratio) -> int:
    kept: list[Array] = []
    room = share * np.where(widths > 0.0, widths, 1.0)
    for point in points:
        if not any((np.abs(point - other) <= room).all() for other in kept):
            kept.append(point)
    return len(kept)


def incoherent(
    found: Coherence,
    loops: Sequence[str],
    actuators: Sequence[str],
    at: Seconds = 0.0,
    usd_per_value_hour: float = 0.0,
) -> Finding | None:
    """FB-204 if the loops lose more than 5 % against the joint optimum, else None.

    Loops are ordered by how far, in shares of the optimum, they settle from it."""
    if found.ratio >= COHERENCE_MIN:
        return None
    lost = found.best_value - found.settled_value
    evidence = [
        Evidence(what="coherence", value=found.ratio, limit=COHERENCE_MIN),
        Evidence(what="value where the loops settle", value=found.settled_value),
        Evidence(what="value of the joint optimum", value=found.best_value),
        Evidence(what="unlike resting places", value=float(found.places)),
    ]
    for place, name in enumerate(actuators):
        evidence.append(Evidence(what=f"{name}, settled", value=float(found.settled[place])))
        evidence.append(Evidence(what=f"{name}, optimal", value=float(found.best[place])))
    made = finding(
        "FB-204",
        at=at,
        loops=loops,
        actuators=actuators,
        evidence=evidence,
        confidence=0.9 if found.is_settled else 0.6,
        summary=f"the loops reach {found.ratio:.0%} of what they could together",
    )
    return replace(made, cost_usd_per_h=lost * usd_per_value_hour) if usd_per_value_hour else made
