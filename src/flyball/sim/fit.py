"""Which coefficients make a simulation agree best with measurements, and how sure is each?

Gauss-Newton with Levenberg's damping (Nocedal and Wright, Numerical Optimization, 2006, ch. 10) on
the logarithms of coefficients and of measured figures, so that an error of 10 % weighs the same for
1 ms and for 10 s. Large errors are weighed down (soft L1), and each coefficient is held to its
start by a weak prior, so that what the data does not tell stays where the start has put it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]

# Steps of a logarithm for the numeric derivative, coarse first: a replay is full of small jumps.
STEPS = (0.15, 0.06, 0.02)
DAMPING_MAX = 1e3
RESAMPLES = 200


class Fitted(NamedTuple):
    """Coefficients, one standard error of each as a ratio (0.1 = 10 %), and what is left.

    `told` = how much of each came from the data and not from the prior, 0 to 1. `left` = logarithm
    of predicted / measured, row by row.
    """

    values: Floats
    errors: Floats
    told: Floats
    left: Floats


def fit(
    predict: Predict,
    measured: Floats,
    start: Floats,
    *,
    prior: float | Floats = 1.0,
    scale: float = 0.1,
    rounds: int = 12,
    weights: Floats | None = None,
    seed: int = 1,
) -> Fitted:
    """Fit coefficients, all above 0, so that `predict(coefficients)` comes near `measured`.

    `prior` = standard deviation of the start's logarithm, one for all or one each; `scale` = an
    error (in logarithms) that is still counted in full. Both sides above 0;
    ValueError if they are not, or differ in length.
    """
    if len(measured) == 0 or np.any(measured <= 0) or np.any(start <= 0):
        raise ValueError("nothing to fit, or figures that are not above 0")
    weigh = np.ones(len(measured)) if weights is None else weights
    goal, origin = np.log(measured), np.log(start)

    def left(x: Floats) -> Floats:
        predicted = predict(np.exp(x))
        if predicted.shape != measured.shape:
            raise ValueError(f"{len(predicted)} predictions for {len(measured)} measurements")
        return np.log(np.maximum(predicted, 1e-12)) - goal

    def cost(x: Floats, rest: Floats) -> float:
        soft = 2.0 * scale**2 * (np.sqrt(1.0 + (rest / scale) ** 2) - 1.0)
        return float(np.sum(weigh * soft) + np.sum((scale / prior * (x - origin)) ** 2))

    x, rest = origin.copy(), left(origin)
    slopes = np.zeros((len(rest), len(x)))
    for size in STEPS:
        damping, slopes = 1e-3, _slopes(left, x, size)
        for _ in range(rounds):
            step = _solve(slopes, rest, x - origin, weigh, scale, prior, damping)
            trial = x + np.clip(step, -1.0, 1.0)
            trial_rest = left(trial)
            gain = 1.0 - cost(trial, trial_rest) / max(cost(x, rest), 1e-300)
            if gain > 0:
                x, rest, damping = trial, trial_rest, damping / 5.0
                slopes = _slopes(left, x, size)
            else:
                damping *= 8.0
            if 0 < gain < 1e-4 or damping > DAMPING_MAX:
                break
    errors, told = _doubt(slopes, rest, x - origin, weigh, scale, prior, seed)
    return Fitted(np.exp(x), errors, told, rest)


def _slopes(left: Predict, x: Floats, size: float) -> Floats:
    """Derivative of what is left by each coefficient's logarithm, two-sided."""
    columns: list[Floats] = []
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        up[i] += size
        down[i] -= size
        columns.append((left(up) - left(down)) / (2.0 * size))
    return np.stack(columns, axis=1)


def _solve(
    slopes: Floats,
    rest: Floats,
    moved: Floats,
    weigh: Floats,
    scale: float,
    prior: float | Floats,
    damping: float,
) -> Floats:
    """One damped Gauss-Newton step; soft L1 enters as a weight per row."""
    rows = weigh / np.sqrt(1.0 + (rest / scale) ** 2)
    normal = slopes.T @ (slopes * rows[:, None])
    hold = (scale / prior) ** 2
    normal += np.diag(hold + damping * (np.diag(normal) + 1e-9))
    step = np.linalg.solve(normal, slopes.T @ (rows * rest) + hold * moved)
    return -np.asarray(step, dtype=np.float64)


def _doubt(
    slopes: Floats,
    rest: Floats,
    moved: Floats,
    weigh: Floats,
    scale: float,
    prior: float | Floats,
    seed: int,
) -> tuple[Floats, Floats]:
    """Standard errors by drawing rows again (bootstrap) at the linearised optimum, and `told`."""
    rng = np.random.default_rng(seed)
    count = len(rest)
    drawn = [
        _solve(slopes[rows], rest[rows], moved, weigh[rows], scale, prior, 0.0)
        for rows in (rng.integers(0, count, count) for _ in range(RESAMPLES))
    ]
    rows = weigh / np.sqrt(1.0 + (rest / scale) ** 2)
    normal = slopes.T @ (slopes * rows[:, None])
    hold = (scale / prior) ** 2
    shrunk = np.diag(np.linalg.inv(normal + np.diag(hold + np.zeros(len(moved))))) * hold
    errors = np.asarray(np.std(np.array(drawn), axis=0), dtype=np.float64)
    return errors, np.asarray(1.0 - shrunk, dtype=np.float64)
