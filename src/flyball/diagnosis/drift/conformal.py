"""Is a slot of this stream stranger than the slots of its accepted past, again and again?

Block-conformal e-detector. A slot's score is the Mahalanobis distance of its mean from the accepted
past; its rank among the accepted scores is an e-value that assumes no distribution. What breaks
such ranks is dependence: noise with a memory makes strange slots come in runs. So each detector
sees only slots that are one memory apart, and the detectors of all phases are averaged, so that
none has to wait for its next slot for long. All arrays are over S streams of D numbers each.
"""

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.edetector import Array, calibrator, grown

RIDGE = 1e-9
"""Floor of a variance, relative to the largest: what never varied must not divide by 0; when it
begins to vary it is as strange as can be."""

BETS = (0.05,)
"""See `edetector.calibrator`; chosen on the tuning half of `bench/bench_drift.py`."""

SLOTS_MIN = 120
"""Fewer accepted slots than this rank nothing as strange."""


class Accepted(Struct, frozen=True, kw_only=True):
    """Accepted behaviour of S streams: centre [S, D], whitener [S, D, D], scores [S, N]."""

    centre: Array
    whitener: Array
    scores: Array


def inverse_root(covariance: Array) -> Array:
    """The inverse square root [S, D, D] of covariances [S, D, D]; never infinite."""
    values, vectors = np.linalg.eigh(covariance)
    floor = RIDGE * np.maximum(values[..., -1:], RIDGE)
    roots = 1.0 / np.sqrt(np.maximum(values, floor))
    return np.asarray((vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def left_out(squared: Array, count: int) -> Array:
    """Squared Mahalanobis distances as they would be had each point not been in the estimate.

    d' = d (n-2) n^2 / ((n-1)^3 - n (n-1) d), n = `count` points of squared distance d to their own
    mean and covariance (Sherman and Morrison's identity). Without it the past would score smaller
    than new points of the same kind do.
    """
    n = float(count)
    rest = np.maximum((n - 1.0) ** 3 - n * (n - 1.0) * squared, RIDGE * n**3)
    return squared * (n - 2.0) * n**2 / rest


def accept(past: Array) -> Accepted:
    """Learns accepted behaviour from `past` [S, N, D], one row a slot.

    Raises ValueError for less than `SLOTS_MIN` slots.
    """
    count = past.shape[1]
    if count < SLOTS_MIN:
        raise ValueError(f"{count} slots of accepted behaviour; at least {SLOTS_MIN} are needed")
    centre = past.mean(axis=1)
    spread = past - centre[:, None, :]
    whitener = inverse_root(np.einsum("snd,sne->sde", spread, spread) / (count - 1))
    points = np.einsum("sde,sne->snd", whitener, spread)
    scores = left_out(np.square(points).sum(axis=2), count)
    return Accepted(centre=centre, whitener=whitener, scores=scores)


class Conformal:
    """S streams at once; state = the evidence [S, phases], whatever their age."""

    def __init__(self, accepted: Accepted, phases: int) -> None:
        """`phases` = slots in one memory of the noise."""
        self._accepted = accepted
        self._e = calibrator(accepted.scores.shape[1], BETS)
        self._evidence = np.zeros((accepted.scores.shape[0], phases))
        self._slots = 0

    def slot(self, means: Array) -> None:
        """One slot has ended with `means` [S, D]."""
        accepted = self._accepted
        points = np.einsum("sde,se->sd", accepted.whitener, means - accepted.centre)
        squared = np.square(points).sum(axis=1)
        stranger = (accepted.scores >= squared[:, None]).sum(axis=1)
        phase = self._slots % self._evidence.shape[1]
        self._evidence[:, phase] = grown(self._evidence[:, phase], self._e[stranger])
        self._slots += 1

    @property
    def evidence(self) -> Array:
        """[S], in slots: without a change its mean is at most the slots so far."""
        return np.asarray(self._evidence.mean(axis=1) * self._evidence.shape[1])

    def forget(self) -> None:
        """Evidence begins anew, after an alarm."""
        self._evidence[:] = 0.0
