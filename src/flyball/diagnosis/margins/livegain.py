"""How strongly do retries feed on themselves, by counts alone?

Marginal loop gain l = r d(p lambda)/d lambda = r (p + lambda p'(lambda)): of one attempt more, the
share that fails and is tried again (as in `retrygain`). r = retries per failed attempt. The
derivative is the least-squares slope of failed on all attempts over the rows, which needs load that
varied; its error is widened for what one row says of the next, by sqrt((1 + rho)/(1 - rho)) (Bayley
& Hammersley, "The effective number of independent observations in an autocorrelated time series",
JRSS Supplement 8, 1946). r p, the share of attempts that are retries, needs no slope and is the
part of l that is there in any case.
"""

from math import sqrt
from typing import Any

import numpy as np

from flyball.diagnosis.finding import Evidence

Array = np.ndarray[Any, Any]

# Above this a burst echoes longer than it lasted (as `retrygain.GAIN_MAX`, which is a plan's).
LIMIT = 0.5
ATTEMPTS_MIN = 100.0
ROWS_MIN = 12
# Relative spread of the load from which on a slope can be told.
_SPREAD_MIN = 0.05
_RHO_MAX = 0.9
ERRORS = 3.0
AVERAGE = "retries per attempt"
MARGINAL = "retries that one more attempt brings"


def average(attempts: Array, again: Array) -> Evidence | None:
    """r p over these rows of counts, with three standard errors; None = too few attempts."""
    count = float(attempts.sum())
    if count < ATTEMPTS_MIN:
        return None
    share = min(1.0, float(again.sum()) / count)
    # With one more of each kind, so that none seen is not taken as none there is.
    guess = (share * count + 1.0) / (count + 2.0)
    error = ERRORS * sqrt(guess * (1.0 - guess) / count)
    return Evidence(
        what=AVERAGE,
        value=share,
        low=max(0.0, share - error),
        high=min(1.0, share + error),
        limit=LIMIT,
    )


def marginal(attempts: Array, failed: Array, again: Array) -> Evidence | None:
    """l over these rows of counts, with three standard errors; None = too few rows or attempts,
    or a load that hardly varied."""
    count, lost = float(attempts.sum()), float(failed.sum())
    if len(attempts) < ROWS_MIN or count < ATTEMPTS_MIN or lost < 1.0:
        return None
    offset = attempts - attempts.mean()
    within = float((offset**2).sum())
    if within < len(attempts) * (_SPREAD_MIN * float(attempts.mean())) ** 2:
        return None
    slope = float((offset * failed).sum()) / within
    left = failed - failed.mean() - slope * offset
    error = sqrt(float((left**2).sum()) / (len(left) - 2) / within) * _widened(left)
    back = min(1.0, float(again.sum()) / lost)
    half = ERRORS * back * error
    value = back * slope
    return Evidence(what=MARGINAL, value=value, low=value - half, high=value + half, limit=LIMIT)


def _widened(left: Array) -> float:
    whole = float((left**2).sum())
    rho = float((left[1:] * left[:-1]).sum()) / whole if whole > 0.0 else 0.0
    rho = min(_RHO_MAX, max(0.0, rho))
    return sqrt((1.0 + rho) / (1.0 - rho))
