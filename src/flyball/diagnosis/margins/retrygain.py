"""Do retries feed on themselves at this operating point, and is cutting context still a saving?

Load balance: lambda = lambda_0 + r p(lambda) lambda, with p the chance that an attempt fails and r
the chance that a failed one is tried again. Marginal loop gain l = r (p + lambda p'(lambda)):
stable iff l < 1, and near a timeout cliff the slope is most of it. Attempts of a task with at most
R retries: A = (1 - (r p)^(R+1))/(1 - r p); layers that each retry multiply. A retry budget of b per
success bounds A by 1 + b whatever p (Brooker, "Fixing retries with token buckets", 2022).
Spend of a task with context k kept: S = s(k)/(1 - r q(k)); its minimiser is a floor: below it,
truncation costs money.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.units import Ratio

Array = np.ndarray[Any, Any]

# Above this marginal gain a burst echoes longer than it lasted; the governor's own loops keep it.
GAIN_MAX = 0.5
_GRID = 2001


class RetryGain(Struct, frozen=True, kw_only=True):
    """`gain` = l at the operating point, `by_slope` = its part r lambda p'(lambda)."""

    gain: float
    by_slope: float
    attempts: float

    @property
    def is_stable(self) -> bool:
        """Whether retries die out there."""
        return self.gain < 1.0


def attempts(fails: Ratio, again: Ratio, retries_max: float = np.inf, layers: int = 1) -> float:
    """Mean attempts per task; inf where it diverges. Raises ValueError outside [0, 1]."""
    if not (0.0 <= fails <= 1.0 and 0.0 <= again <= 1.0):
        raise ValueError(f"chances lie in [0, 1], not {fails} and {again}")
    base = fails * again
    if base == 1.0:
        return float(retries_max + 1) ** layers
    one = (
        1.0 / (1.0 - base)
        if np.isinf(retries_max)
        else (1 - base ** (retries_max + 1)) / (1 - base)
    )
    return float(one) ** layers


def budgeted(fails: Ratio, again: Ratio, share: Ratio) -> float:
    """Mean attempts per task under a retry budget of `share` per success: at most 1 + share."""
    return min(attempts(fails, again), 1.0 + share)


def retry_gain(fails_at: Callable[[float], float], load: float, again: Ratio) -> RetryGain:
    """l at a load of attempts/s, `fails_at(load)` = chance that one fails there."""
    fails = fails_at(load)
    nudge = 1e-4 * max(load, 1e-6)
    slope = (fails_at(load + nudge) - fails_at(load - nudge)) / (2 * nudge)
    by_slope = again * load * slope
    return RetryGain(
        gain=again * fails + by_slope, by_slope=by_slope, attempts=attempts(fails, again)
    )


def spend(
    kept: Array, work: Callable[[Array], Array], fails: Callable[[Array], Array], again: Ratio
) -> Array:
    """Work per task, retries included, at each share of context kept."""
    return work(kept) / (1.0 - again * fails(kept))


def cheapest_kept(
    work: Callable[[Array], Array], fails: Callable[[Array], Array], again: Ratio
) -> tuple[float, float]:
    """kappa*: the share of context kept at which a task is cheapest, and its work there."""
    kept = np.linspace(0.0, 1.0, _GRID)
    spent = spend(kept, work, fails, again)
    best = int(spent.argmin())
    return float(kept[best]), float(spent[best])
