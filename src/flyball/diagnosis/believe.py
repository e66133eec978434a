"""May the twin be believed: do the loops answer to the dither as it says they would?

The recorded signs of the dither are run through the fitted twin, and each loop's real answer is
regressed on the predicted one: 1 = as strong as predicted, and noise in the plant widens the
interval without shifting it. Off by more than 30 %, the twin has the wrong structure, whatever its
mean latency says, and only the model-free pair counts (randomised gain, measured sensitivity).
"""

from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis import fluid
from flyball.units import Ratio

Array = np.ndarray[Any, Any]

OFF_MAX = 0.3
OFFSETS = {
    "cost": "kept_offset",
    "router": "share_offset",
    "autoscaler": "replicas_offset",
}
_ROWS = {"cost": fluid.KEPT, "router": fluid.SHARE, "autoscaler": fluid.ORDERED.start}
_SEGMENT = 10


class Belief(Struct, frozen=True, kw_only=True):
    """`ratio` = the loop's measured answer over the predicted one, with a 95 % interval. `holds` =
    twice that interval reaches into 1 +- 0.3, for the twin is judged thousands of times a month;
    `is_known` = the interval is narrow enough to say so."""

    loop: str
    ratio: float
    low: float
    high: float
    holds: bool
    is_known: bool


def predicted(theta: Array, rest: Array, offsets: Array, gains: Array | None = None) -> Array:
    """The set-points [T, 3] of cost, router and autoscaler under recorded offsets [T, 3], one row
    per period of the twin; `theta` [K, 1], `rest` [N, 1]. `gains` [T, 3] = the loops' own gains of
    that time, where they were changed meanwhile."""
    knobs, state = theta.copy(), rest.copy()
    own = [fluid.KNOBS.index(fluid.GAINS[loop]) for loop in OFFSETS]
    rows = [fluid.KNOBS.index(name) for name in OFFSETS.values()]
    told = np.empty_like(offsets)
    for index, offset in enumerate(offsets):
        knobs[rows, 0] = offset
        if gains is not None:
            knobs[own, 0] = gains[index]
        state = fluid.period(state, knobs)
        told[index] = state[list(_ROWS.values()), 0]
    return told


def judged(measured: Array, told: Array) -> tuple[Belief, ...]:
    """Belief per loop from measured and predicted set-points, [T, 3] each.

    Raises ValueError for fewer than four segments of ten rows.
    """
    if len(measured) < 4 * _SEGMENT:
        raise ValueError(f"{len(measured)} rows are too few to judge a twin by")
    return tuple(
        _belief(loop, _parts(measured[:, index]), _parts(told[:, index]))
        for index, loop in enumerate(OFFSETS)
    )


def believed(beliefs: tuple[Belief, ...]) -> bool:
    """Whether no loop contradicts the twin."""
    return all(one.holds for one in beliefs)


def _parts(values: Array) -> Array:
    """Segments of ten rows with their line taken off: slow drift is no answer to the dither."""
    whole = values[: len(values) // _SEGMENT * _SEGMENT].reshape(-1, _SEGMENT)
    time = np.linspace(-1.0, 1.0, _SEGMENT)
    level = whole - whole.mean(axis=1, keepdims=True)
    return level - (level @ time)[:, None] * time / float(time @ time)


def _belief(loop: str, measured: Array, told: Array) -> Belief:
    across, within = (measured * told).sum(axis=1), (told**2).sum(axis=1)
    total = float(within.sum())
    if total <= 1e-18:
        return Belief(loop=loop, ratio=1.0, low=0.0, high=9.9, holds=True, is_known=False)
    ratio = float(across.sum()) / total
    left = (across.sum() - across) / np.maximum(total - within, 1e-18)
    count = len(across)
    error = float(np.sqrt((count - 1) * np.var(left)))
    half = 1.96 * error
    low, high = ratio - half, ratio + half
    return Belief(
        loop=loop,
        ratio=ratio,
        low=low,
        high=high,
        holds=low - half <= 1.0 + OFF_MAX and high + half >= 1.0 - OFF_MAX,
        is_known=high - low < 2 * OFF_MAX,
    )


def share_off(belief: Belief) -> Ratio:
    """How far the measured answer is from the predicted one."""
    return abs(belief.ratio - 1.0)
