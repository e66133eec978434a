"""How near is the closed loop to oscillation, as measured: the peak of its sensitivity?

L = G K, S = (I + L)^-1, T = I - S. Modulus margin = 1/||S||inf. Disk margin
a = 1/||(S - T)/2||inf, taken on the whole S, guarantees in every loop at once a gain range of
[(2 - a)/(2 + a), (2 + a)/(2 - a)] and a phase of 2 atan(a/2) (Seiler, Packard, Gahinet, IEEE
Control Systems 40(5), 2020). A target of a >= 0.67 allows a gain of 2 and 37 degrees.

Measured: each loop's set-point takes effect with a known random sign added. S is the response of
what took effect to what was added, scaled to the added amplitudes; it needs no model of the plant.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from flyball.units import Seconds

Array = np.ndarray[Any, Any]

# Rows of one segment of the spectral average; half of them overlap the next.
SEGMENT = 20
_PULL = 1e-9
_REDRAWN = 8


class DiskMargin(Struct, frozen=True, kw_only=True):
    """`alpha`, and what it guarantees in all loops at once; `modulus` = 1/||S||inf."""

    alpha: float
    gain_low: float
    gain_high: float
    phase_deg: float
    modulus: float


class Peak(Struct, frozen=True, kw_only=True):
    """The measured peak of S: `value` = largest singular value, at `at_rad_s`, less what noise
    alone would show; `noise` = that part, from dither drawn anew; `loop` = the index of the loop
    that answers most there. `low`, `high` = 95 % interval by jackknife."""

    value: float
    noise: float
    low: float
    high: float
    at_rad_s: float
    loop: int


def closed(loop_gain: Array) -> Array:
    """S = (I + L)^-1 of L[F, n, n] over frequencies."""
    return np.linalg.inv(np.eye(loop_gain.shape[-1]) + loop_gain)


def disk_margin(sensitivity: Array) -> DiskMargin:
    """The symmetric disk margin of S[F, n, n], on the frequencies given."""
    unit = np.eye(sensitivity.shape[-1])
    skew = (2.0 * sensitivity - unit) / 2.0  # (S - T)/2 with T = I - S
    alpha = 1.0 / float(np.linalg.norm(skew, ord=2, axis=(1, 2)).max())
    modulus = 1.0 / float(np.linalg.norm(sensitivity, ord=2, axis=(1, 2)).max())
    high = (2.0 + alpha) / (2.0 - alpha) if alpha < 2.0 else float("inf")
    return DiskMargin(
        alpha=alpha,
        gain_low=max((2.0 - alpha) / (2.0 + alpha), 0.0),
        gain_high=high,
        phase_deg=float(np.degrees(2.0 * np.arctan(alpha / 2.0))),
        modulus=modulus,
    )


def measured(points: Array, offsets: Array, step_s: Seconds) -> tuple[Array, Array]:
    """S[F, n, n] and its frequencies (rad/s) from set-points and dither, both [T, n].

    Set-points without the dither; a row per sign of the dither. Raises ValueError for fewer than
    two segments of rows, or a dither that does not move.
    """
    blocks = _blocks(points, offsets)
    return _response(*blocks), _frequencies(step_s)


def peak(points: Array, offsets: Array, step_s: Seconds) -> Peak:
    """The peak of the measured S, with its interval. Raises ValueError as `measured` does."""
    outputs, inputs = _blocks(points, offsets)
    frequencies = _frequencies(step_s)
    whole = _response(outputs, inputs)
    gains = np.linalg.norm(whole, ord=2, axis=(1, 2))
    at = int(gains.argmax())
    count = len(outputs)
    left_out = [
        float(np.linalg.norm(_response(*_without(outputs, inputs, k)), ord=2, axis=(1, 2)).max())
        for k in range(count)
    ]
    noise = _noise(points, offsets)
    value = float(gains[at]) - noise
    # Half-overlapping segments share rows: the jackknife's variance is doubled for it.
    spread = float(np.sqrt(2.0 * (count - 1) * np.var(left_out)))
    answers = np.linalg.svd(whole[at])[0][:, 0]
    return Peak(
        value=value,
        noise=noise,
        low=value - 1.96 * spread,
        high=value + 1.96 * spread,
        at_rad_s=float(frequencies[at]),
        loop=int(np.abs(answers).argmax()),
    )


def _noise(points: Array, offsets: Array) -> float:
    """How far above 1 the peak stands when the dither is one that the plant never saw."""
    chance = np.random.default_rng(0)
    size = offsets.std(axis=0)
    peaks = []
    for _ in range(_REDRAWN):
        drawn = chance.choice([-1.0, 1.0], size=offsets.shape) * size
        response = _response(*_blocks(points, drawn))
        peaks.append(float(np.linalg.norm(response, ord=2, axis=(1, 2)).max()))
    return max(float(np.mean(peaks)) - 1.0, 0.0)


def _blocks(points: Array, offsets: Array) -> tuple[Array, Array]:
    """Spectra of what took effect and of what was added, [segments, F, n], both in units of the
    added amplitude."""
    rows = len(points)
    if rows < 2 * SEGMENT:
        raise ValueError(f"{rows} rows are too few: a sensitivity needs {2 * SEGMENT}")
    size = offsets.std(axis=0)
    if not (size > 0).all():
        raise ValueError("a loop without dither has no measured sensitivity")
    window = np.hanning(SEGMENT + 1)[:SEGMENT, None]
    starts = range(0, rows - SEGMENT + 1, SEGMENT // 2)
    applied = (points + offsets) / size
    added = offsets / size

    def spectra(values: Array) -> Array:
        parts = [_detrended(values[at : at + SEGMENT]) * window for at in starts]
        return np.fft.rfft(np.array(parts), axis=1)[:, 1:]

    return spectra(applied), spectra(added)


def _detrended(values: Array) -> Array:
    time = np.linspace(-1.0, 1.0, len(values))[:, None]
    level = values - values.mean(axis=0)
    return level - time * (level * time).sum(axis=0) / (time**2).sum()


def _response(outputs: Array, inputs: Array) -> Array:
    """Phi_ud Phi_dd^-1 per frequency, neighbours averaged in: [F, n, n]."""
    across = np.einsum("sfi,sfj->fij", outputs, inputs.conj())
    within = np.einsum("sfi,sfj->fij", inputs, inputs.conj())
    across, within = _smooth(across), _smooth(within)
    return across @ np.linalg.inv(within + _PULL * np.eye(within.shape[-1]))


def _smooth(values: Array) -> Array:
    around = np.concatenate([values[:1], values, values[-1:]])
    return 0.25 * around[:-2] + 0.5 * around[1:-1] + 0.25 * around[2:]


def _without(outputs: Array, inputs: Array, block: int) -> tuple[Array, Array]:
    keep = np.arange(len(outputs)) != block
    return outputs[keep], inputs[keep]


def _frequencies(step_s: Seconds) -> Array:
    return 2.0 * np.pi * np.fft.rfftfreq(SEGMENT, d=step_s)[1:]
