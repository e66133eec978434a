"""May the twin be believed: do the loops answer to the dither as it says they would?

The recorded signs of the dither are run through the fitted twin, and each loop's real answer is
regressed on the predicted one: 1 = as strong as predicted, and noise in the plant widens the
interval without shifting it. Off by more than 30 %, the twin has the wrong structure, whatever its
mean latency says, and only the model-free pair counts (randomised gain, measured sensitivity).

Size alone is not enough: a loop three times as strong as the twin's answers as much in all, but
sooner, and then swings back. So the answers' shapes are compared as well: each loop's measured less
predicted moves are regressed on the signs of all loops' dither in the bits before. By Parseval the
power of that answer is the squared difference of the measured and the predicted sensitivity, summed
over all frequencies; signs are white, so noise adds a known power to it, which is taken off.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.margins import fluid
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
# Bits of the dither after which an answer has passed: at 30 s each, three minutes.
LAGS = 6
# By how many standard errors a shape must be further off than `OFF_MAX`: the power of noise over
# 3 loops x 6 lags is chi-square with 18 degrees of freedom, beyond 6 of them once in 100,000 looks.
SHAPE_ERRORS = 6.0


class Belief(Struct, frozen=True, kw_only=True):
    """`ratio` = the loop's measured answer over the predicted one, with a 95 % interval. `holds` =
    twice that interval reaches into 1 +- 0.3, for the twin is judged thousands of times a month,
    and the shape is no surer off; `is_known` = the interval is narrow enough to say so.
    `shape_off` = power of measured less predicted sensitivity over that of the predicted answer,
    its root; `shape_errors` = by how many standard errors that is more than 0.3."""

    loop: str
    ratio: float
    low: float
    high: float
    holds: bool
    is_known: bool
    shape_off: float = 0.0
    shape_errors: float = 0.0


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


def judged(measured: Array, told: Array, offsets: Array | None = None) -> tuple[Belief, ...]:
    """Belief per loop from measured and predicted set-points, [T, 3] each; with the dither's
    `offsets` [T, 3] the shapes of their answers are compared too.

    Raises ValueError for fewer than four segments of ten rows.
    """
    if len(measured) < 4 * _SEGMENT:
        raise ValueError(f"{len(measured)} rows are too few to judge a twin by")
    shapes = np.zeros((len(OFFSETS), 2)) if offsets is None else _shapes(measured, told, offsets)
    return tuple(
        _belief(loop, _parts(measured[:, index]), _parts(told[:, index]), *shapes[index].tolist())
        for index, loop in enumerate(OFFSETS)
    )


def _shapes(measured: Array, told: Array, offsets: Array) -> Array:
    """Per loop, how far the shape is off, and by how many standard errors too far, [3, 2].

    Moves, not set-points: integrators make noise of set-points a random walk.
    """
    signs = (offsets - offsets.mean(axis=0)) / np.maximum(offsets.std(axis=0), 1e-12)
    rows = len(signs) - LAGS
    before = np.stack([signs[LAGS - lag : LAGS - lag + rows] for lag in range(LAGS)])
    moves = np.diff(told, axis=0)[LAGS - 1 :]
    rest = np.diff(measured, axis=0)[LAGS - 1 :] - moves
    rest = rest - rest.mean(axis=0)
    answer = np.einsum("ltj,ti->lji", before, rest) / rows
    power, asked = (answer**2).sum(axis=(0, 1)), OFF_MAX**2 * moves.var(axis=0)
    noise, terms = rest.var(axis=0) / rows, answer[:, :, 0].size
    over = power - terms * noise
    spread = np.sqrt(2 * terms * noise**2 + 4 * noise * asked)
    off = np.sqrt(np.maximum(over, 0.0) / np.maximum(moves.var(axis=0), 1e-18))
    return np.stack([off, (over - asked) / np.maximum(spread, 1e-18)], axis=1)


def believed(beliefs: tuple[Belief, ...]) -> bool:
    """Whether no loop contradicts the twin."""
    return all(one.holds for one in beliefs)


def _parts(values: Array) -> Array:
    """Segments of ten rows with their line taken off: slow drift is no answer to the dither."""
    whole = values[: len(values) // _SEGMENT * _SEGMENT].reshape(-1, _SEGMENT)
    time = np.linspace(-1.0, 1.0, _SEGMENT)
    level = whole - whole.mean(axis=1, keepdims=True)
    return level - (level @ time)[:, None] * time / float(time @ time)


def _belief(
    loop: str, measured: Array, told: Array, shape_off: float, shape_errors: float
) -> Belief:
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
        holds=low - half <= 1.0 + OFF_MAX
        and high + half >= 1.0 - OFF_MAX
        and shape_errors <= SHAPE_ERRORS,
        is_known=high - low < 2 * OFF_MAX,
        shape_off=shape_off,
        shape_errors=shape_errors,
    )


def share_off(belief: Belief) -> Ratio:
    """How far the measured answer is from the predicted one: in size, or in shape where that is
    what speaks against the twin."""
    size = abs(belief.ratio - 1.0)
    return max(size, belief.shape_off) if belief.shape_errors > SHAPE_ERRORS else size
