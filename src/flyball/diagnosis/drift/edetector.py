"""How is evidence of a change added up so that false alarms stay as rare as was asked for?

An e-detector (Shin, Ramdas, Rinaldo, "E-detectors", NEJSDS 2023): the sum of e-processes begun at
each time. Its Shiryaev-Roberts form R <- (1 + R) e has a mean of at most t after t steps without a
change, so that an alarm at R >= A comes, on the mean, after A steps or more. Means of e-detectors
are e-detectors, which is how one budget of alarms is spread over many streams.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = 1e30
"""Evidence is held below this, far above any threshold: infinite numbers have no mean."""


def grown(r: Array, e: Array) -> Array:
    """One Shiryaev-Roberts step, elementwise: r and e >= 0 of one shape."""
    return np.minimum((1.0 + r) * e, LARGEST)


def calibrator(count: int, bets: tuple[float, ...]) -> Array:
    """e-values of conformal ranks 1..count+1 (rank 1 = stranger than all `count` accepted ones).

    The mean over ranks is exactly 1, so it is an e-value where ranks are uniform: the power
    calibrators eps p^(eps-1), p = rank / (count+1), averaged over `bets` = the eps in (0, 1), and
    normalised on the grid (Vovk and Wang, "E-values", Annals of Statistics 2021). A small eps bets
    on few, very strange values. Raises ValueError for a bet outside (0, 1).
    """
    if not bets or not all(0.0 < bet < 1.0 for bet in bets):
        raise ValueError(f"bets lie between 0 and 1, these do not: {bets}")
    p = np.arange(1, count + 2) / (count + 1.0)
    powers = [p ** (bet - 1.0) for bet in bets]
    return np.mean([one / one.mean() for one in powers], axis=0)


def pooled(evidence: Array, weights: Array | None = None) -> float:
    """The mean of the streams' evidence: one e-detector for all of them. 0 for no stream."""
    if not evidence.size:
        return 0.0
    return float(np.average(np.minimum(evidence, LARGEST), weights=weights))


def e_bh(evidence: Array, rate: float) -> NDArray[np.intp]:
    """Which e-values are discoveries at a false discovery rate of `rate`: indices, largest first.

    Wang and Ramdas, "False discovery rate control with e-values", JRSS-B 2022: the largest k with
    e_(k) >= n / (rate k); valid under any dependence. Of Shiryaev-Roberts evidence divided by the
    budget of the run length it says which streams drift, once their mean has raised the alarm.
    Raises ValueError for a rate outside (0, 1].
    """
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"a false discovery rate of {rate} is no share")
    order = np.argsort(-evidence, kind="stable")
    count = evidence.size
    if not count:
        return order
    is_large = evidence[order] >= count / (rate * np.arange(1, count + 1))
    kept = int(np.flatnonzero(is_large)[-1]) + 1 if is_large.any() else 0
    return order[:kept]
