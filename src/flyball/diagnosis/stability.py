"""Are integrating loops stable together, although each is alone, and with which margin?

Loop i moves its actuator every T_i seconds by r_ik times the relative error of signal k, seen
tau_i seconds late; the plant answers y = G u, entry (k, j) late by delta_kj. In the Laplace plane
the loops close as det(I - K(s) G(s)) = 0 with K_ik = r_ik c_i e^(-s (tau_i + T_i / 2)) / (s T_i):
half a period is the mean age of a held set-point, and c_i makes the critical gain of one loop
alone that of its exact difference equation, 2 sin(pi / (2 (2 d + 1))) at a delay of d periods
(Levin & May 1976). Growing modes are counted by the argument principle on the line Re s = sigma.
"""

from math import pi, sin
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.units import Seconds

Matrix = np.ndarray[Any, np.dtype[np.float64]]
POINTS_MAX = 20_000
# Of the fastest phase between two points of the line: then no turn of the determinant is missed.
PHASE_STEP = 0.25
# A mode counts as growing from this share of the slowest loop's own rate on.
GROWTH_SHARE = 1e-3
MARGIN_MAX = 64.0


class Closed(Struct, frozen=True, kw_only=True):
    """Loops around a plant. Shapes: `responses` (loops, signals), `plant` and `plant_delays_s`
    (signals, actuators) with as many actuators as loops; `periods_s`, `delays_s` (loops,)."""

    responses: Matrix
    plant: Matrix
    periods_s: Matrix
    delays_s: Matrix
    plant_delays_s: Matrix


def critical_gain(delay_s: Seconds, period_s: Seconds) -> float:
    """Gain x slope at which one integrating loop oscillates for ever (Levin & May 1976).

    Raises ValueError for a period that is not positive."""
    if period_s <= 0.0:
        raise ValueError(f"a loop's period must be above 0 s, got {period_s}")
    return 2.0 * sin(pi / (2.0 * (2.0 * max(0.0, delay_s) / period_s + 1.0)))


def lone_margin(gain: float, delay_s: Seconds, period_s: Seconds) -> float:
    """How many times the loop's gain x slope may grow before it oscillates alone; 0 where it
    pushes the wrong way (`gain` > 0), infinite where it does nothing."""
    if gain > 0.0:
        return 0.0
    return critical_gain(delay_s, period_s) / -gain if gain < 0.0 else float("inf")


def is_growing(closed: Closed, scale: float = 1.0) -> bool:
    """Whether any mode grows when all gains are multiplied by `scale`."""
    rates = scale * closed.responses / closed.periods_s[:, None]
    rates = rates * _corrections(closed)[:, None]
    # Without delay the modes are the eigenvalues of K G: what grows there grows however slow the
    # loops are, as that is the low end of every locus.
    slow = np.linalg.eigvals(rates @ closed.plant)
    floor = GROWTH_SHARE * float(np.min(np.abs(slow), initial=np.inf))
    if np.any(slow.real > max(floor, 1e-12)):
        return True
    if not np.isfinite(floor) or floor <= 0.0:
        return False
    return _windings(closed, rates, floor) > 0


def margin(closed: Closed) -> float:
    """The factor on all gains at which a mode begins to grow; 0 = however small they are.

    Found by bisection to 1 %, and not looked for beyond `MARGIN_MAX`."""
    low, high = 1.0 / MARGIN_MAX, MARGIN_MAX
    if is_growing(closed, low):
        return 0.0
    if not is_growing(closed, high):
        return high
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if is_growing(closed, middle) else (middle, high)
    return (low * high) ** 0.5


def _corrections(closed: Closed) -> Matrix:
    """c_i: continuous over exact critical gain, at the delay of the loop's own path."""
    own = closed.delays_s + np.diagonal(closed.plant_delays_s)
    angles = pi / (2.0 * (2.0 * own / closed.periods_s + 1.0))
    return angles / np.sin(angles)


def _windings(closed: Closed, rates: Matrix, floor: float) -> int:
    """Zeros of the determinant right of Re s = `floor`: turns of it along that line."""
    sizes = np.abs(rates) @ np.abs(closed.plant)
    top = 12.0 * float(sizes.sum(axis=1).max())
    lags = closed.delays_s + 0.5 * closed.periods_s
    slowest = float((lags[:, None] + closed.plant_delays_s.T).max())
    count = int(min(POINTS_MAX, max(400.0, top * slowest / PHASE_STEP)))
    line = np.unique(
        np.concatenate([np.linspace(0.0, top, count), np.geomspace(floor / 30.0, top, 400)])
    )
    s = floor + 1j * line
    held = rates * np.exp(-s[:, None] * lags)[:, :, None] / s[:, None, None]
    plant = closed.plant * np.exp(-s[:, None, None] * closed.plant_delays_s)
    values = np.linalg.det(np.eye(len(lags)) - held @ plant)
    # Upwards along the line the right half plane lies to the right: its zeros turn it backwards.
    turns = np.angle(values[1:] / values[:-1]).sum() - np.angle(values[-1])
    return round(-float(turns) / pi)
