"""Are integrating loops stable together, although each is alone, and with which margin?

Loop i moves its actuator every T_i seconds by r_ik times the relative error of signal k, seen
tau_i seconds late; the plant answers y = G u, entry (k, j) late by delta_kj. In the Laplace plane
the loops close as det(I - K(s) G(s)) = 0 with K_ik = r_ik c_i e^(-s (tau_i + T_i / 2)) / (s T_i):
half a period is the mean age of a held set-point, and c_i makes the critical gain of one loop
alone that of its exact difference equation, 2 sin(pi / (2 (2 d + 1))) at a delay of d periods
(Levin & May 1976). Growing modes are counted by the argument principle on the line Re s = sigma.
That is quick, and rough where periods are unlike: what it finds is judged by `margin`, which steps
the difference equations.
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
MARGIN_MAX = 8.0
MARGIN_STEPS = 49
MARGIN_FLOOR = 1e-3
TICKS_PER_PERIOD = 8
TICKS_MAX = 20_000
# The slowest loop moves so many times before it is judged; quarters two and four are compared.
ROUNDS = 40
PEAK_MAX = 1e9


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

    The difference equations themselves are stepped in time, at many factors at once (9 % apart,
    from 1 / `MARGIN_MAX` on; `MARGIN_MAX` = none of them grows), so that loops of unlike periods
    are met as they are: the Laplace form above is exact only where one sets the pace. Periods and
    delays are rounded to an eighth of the shortest period.
    """
    scales = np.geomspace(1.0 / MARGIN_MAX, MARGIN_MAX, MARGIN_STEPS)
    growing = _grown(closed, scales)
    if is_growing(closed, MARGIN_FLOOR):
        return 0.0
    first = int(np.argmax(growing))
    if not growing.any():
        return MARGIN_MAX
    return float(scales[first] if first == 0 else (scales[first - 1] * scales[first]) ** 0.5)


def _grown(closed: Closed, scales: Matrix) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """For each factor on the gains, whether set-points run away from a small start."""
    tick = float(closed.periods_s.min()) / TICKS_PER_PERIOD
    every = np.maximum(1, np.rint(closed.periods_s / tick)).astype(int)
    # lags[i, k, j]: how old what loop i sees of actuator j in signal k is
    lags = closed.delays_s[:, None, None] + closed.plant_delays_s[None, :, :]
    lags = np.rint(lags / tick).astype(int)
    depth = int(lags.max()) + 1
    horizon = int(min(TICKS_MAX, max(ROUNDS * every.max(), ROUNDS * depth)))
    loops = len(every)
    # gains[i, k, j]: what loop i does on signal k, moved by actuator j
    gains = closed.responses[:, :, None] * closed.plant[None, :, :]
    past = np.zeros((depth, len(scales), loops))
    now = np.tile(np.linspace(1.0, 0.5, loops), (len(scales), 1))
    peaks = np.zeros((4, len(scales)))
    columns = np.arange(loops)
    before = -1
    for turn in np.unique(np.concatenate([np.arange(0, horizon, step) for step in every])).tolist():
        # Set-points are held between two moves.
        past[np.arange(max(before, turn - depth) + 1, turn + 1) % depth] = now
        before = turn
        now = now.copy()
        for i in np.flatnonzero(turn % every == 0):
            seen = past[(turn - lags[i]) % depth, :, columns]
            now[:, i] += scales * np.einsum("kj,kjs->s", gains[i], seen)
        np.clip(now, -PEAK_MAX, PEAK_MAX, out=now)
        quarter = 4 * turn // horizon
        peaks[quarter] = np.maximum(peaks[quarter], np.abs(now).max(axis=1))
    return (peaks[3] > peaks[1]) | (peaks[3] >= PEAK_MAX)


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
    slowest = float(lags.max() + closed.plant_delays_s.max())
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
