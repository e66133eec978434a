"""Which actuators move which signals, shown by randomised probes, however long one looks?

A probe sets each actuator's arm to +1 or -1 by a fair coin, block by block. If the actuator does
not move the signal, the coin says nothing of what the signal does, whatever drifts, daily waves or
other loops do to it: E_t = prod(1 + w_t a_t z_t), with z_t in [-1, 1] made from the signal and the
bet w_t from the past alone, is a martingale (testing by betting: Waudby-Smith & Ramdas 2024,
"Estimating means of bounded random variables by betting"). So its value is evidence at any time,
without a plan of when to look. Over all pairs false discoveries are bounded by e-BH (Wang & Ramdas
2022, "False discovery rate control with e-values"), under any dependence between them.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from flyball.diagnosis.topology.graph import Effect, LoopGraph
from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, np.dtype[np.float64]]
# Of false edges among those told.
FALSE_SHARE = 0.02
BET_MAX = 0.9
# Blocks of which the signal's own course is learnt before the first bet.
WARM_BLOCKS = 12
LAGS = 3
# What of a signal is told from its own past: enough for a drift and one wave.
ORDER = 3
FORGET = 0.99
CLIP_SDS = 3.0
# Of the other actuators, whose moves are taken out of a signal before one is tested.
OTHERS_MAX = 16
Z95 = 1.96


class Edge(NamedTuple):
    """One pair that the probe shows: `gain` = relative change of the signal per relative change of
    the actuator, with its 95 % interval; `lag` in blocks; `e_value` = evidence that there is one.
    """

    actuator: str
    signal: str
    gain: float
    low: float
    high: float
    lag: int
    e_value: float


class Probe(NamedTuple):
    """A randomised experiment. Shapes: `arms` (blocks, actuators) of -1 and +1; `signals` (blocks,
    signals), means over each block; `steps` (actuators,) = relative size of one arm's move."""

    actuators: Sequence[str]
    signals: Sequence[str]
    arms: Array
    values: Array
    steps: Array
    block_s: Seconds


def edges(probe: Probe, false_share: Ratio = FALSE_SHARE, lags: int = LAGS) -> list[Edge]:
    """The pairs that stand, by falling evidence.

    `lags` = blocks after a move in which its effect is looked for (0 .. lags - 1). Short lags tell
    an actuator's own effect from one that comes back through slower loops. Raises ValueError for
    shapes that do not fit, arms other than -1 and +1, and gaps.
    """
    _check(probe)
    evidence: list[tuple[float, int, int]] = []
    residuals: list[Array] = []
    for place in range(len(probe.actuators)):
        left = _residuals(probe, place)
        scaled = np.clip(left / _spreads(left) / CLIP_SDS, -1.0, 1.0)
        residuals.append(left)
        for number in range(len(probe.signals)):
            value = e_value(probe.arms[:, place], scaled[:, number], lags)
            evidence.append((value, place, number))
    evidence.sort(key=lambda one: -one[0])
    kept = e_bh([value for value, _, _ in evidence], false_share)
    means = np.maximum(np.abs(probe.values.mean(axis=0)), 1e-12)
    return [
        _edge(probe, residuals[place][:, number] / means[number], place, number, value, lags)
        for value, place, number in evidence[:kept]
    ]


def e_bh(e_values: Sequence[float], false_share: Ratio) -> int:
    """How many of the largest e-values stand: the most k with e_(k) >= m / (k x false_share).

    `e_values` fall; ValueError if they do not."""
    if any(after > before for before, after in pairwise(e_values)):
        raise ValueError("e-values must be sorted, the largest first")
    total = len(e_values)
    kept = [k for k, value in enumerate(e_values, 1) if value * k * false_share >= total]
    return max(kept, default=0)


def e_value(arms: Array, scaled: Array, lags: int = LAGS) -> float:
    """Evidence against "these coins do not move that signal". Shapes (blocks,).

    The mean over the lags: a mean of e-values is one itself, however they depend."""
    total = 0.0
    for lag in range(lags):
        coins, answers = arms[: len(arms) - lag], scaled[lag:]
        products = coins[WARM_BLOCKS:] * answers[WARM_BLOCKS:]
        total += float(np.exp(_log_wealth(products)))
    return total / lags


def _log_wealth(products: Array) -> float:
    """Log of what a bettor has who begins with 1 and learns the stake from the past only."""
    count = np.arange(1, len(products) + 1)
    mean = np.cumsum(products) / (count + 2.0)
    square = (np.cumsum(products**2) + 0.25) / (count + 1.0)
    past = np.concatenate([[0.0], (mean / square)[:-1]])
    stakes = np.clip(past, -BET_MAX, BET_MAX)
    return float(min(500.0, np.log1p(stakes * products).sum()))


def _residuals(probe: Probe, place: int) -> Array:
    """What of each signal is told neither by its own past nor by the *other* actuators' arms:
    one-step errors (blocks, signals) of recursive least squares on a constant, `ORDER` lags of the
    signal and `LAGS` of the arms. The arm under test has no part in it, so that the errors do not
    depend on it where it has no effect."""
    others = np.delete(probe.arms, place, axis=1)[:, :OTHERS_MAX]
    blocks, signals = probe.values.shape
    scale = np.maximum(probe.values.std(axis=0), 1e-12)
    course = (probe.values - probe.values[0]) / scale
    size = 1 + ORDER + LAGS * others.shape[1]
    known = np.zeros((blocks, signals, size))
    known[:, :, 0] = 1.0
    for lag in range(1, ORDER + 1):
        known[lag:, :, lag] = course[:-lag]
    for lag in range(LAGS):
        first = 1 + ORDER + lag * others.shape[1]
        known[lag:, :, first : first + others.shape[1]] = others[: blocks - lag, None, :]
    weights = np.zeros((signals, size))
    spread = np.tile(np.diag([1e3] * (1 + ORDER) + [1.0] * (size - 1 - ORDER)), (signals, 1, 1))
    out = np.zeros_like(course)
    for t, past in enumerate(known):
        out[t] = course[t] - np.einsum("si,si->s", weights, past)
        turned = np.einsum("sij,sj->si", spread, past)
        gain = turned / (FORGET + np.einsum("si,si->s", turned, past))[:, None]
        weights += gain * out[t][:, None]
        spread = (spread - gain[:, :, None] * turned[:, None, :]) / FORGET
    return out * scale


def _spreads(residuals: Array) -> Array:
    """Standard deviation of what came before, for each block and signal."""
    count = np.arange(1, len(residuals) + 1)[:, None]
    squares = np.cumsum(residuals**2, axis=0) / count
    before = np.vstack([squares[:1], squares[:-1]])
    return np.sqrt(np.maximum(before, 1e-24))


def _edge(probe: Probe, relative: Array, place: int, number: int, value: float, lags: int) -> Edge:
    """The effect at the lag where it is clearest."""
    best: tuple[float, float, float, int] = (0.0, 0.0, 0.0, 0)
    for lag in range(lags):
        coins = probe.arms[: len(relative) - lag, place][WARM_BLOCKS:]
        answers = relative[lag:][WARM_BLOCKS:]
        products = coins * answers / probe.steps[place]
        mean, error = float(products.mean()), float(products.std()) / sqrt(len(products))
        if abs(mean) / max(error, 1e-12) > best[0]:
            best = (abs(mean) / max(error, 1e-12), mean, error, lag)
    _, mean, error, lag = best
    return Edge(
        probe.actuators[place],
        probe.signals[number],
        mean,
        mean - Z95 * error,
        mean + Z95 * error,
        lag,
        value,
    )


def measured(found: Sequence[Edge], block_s: Seconds, scope: str = "") -> LoopGraph:
    """The edges as effects of a graph, known from a probe."""
    return LoopGraph(
        effects=tuple(
            Effect(
                actuator=one.actuator,
                signal=one.signal,
                scope=scope,
                sign=1 if one.gain > 0.0 else -1,
                gain=one.gain,
                low=one.low,
                high=one.high,
                delay_s=one.lag * block_s,
                is_measured=True,
                seen=(f"probe (e-value {one.e_value:.3g})",),
            )
            for one in found
        )
    )


def _check(probe: Probe) -> None:
    blocks = len(probe.arms)
    shapes = (probe.arms.shape, probe.values.shape, probe.steps.shape)
    wanted = ((blocks, len(probe.actuators)), (blocks, len(probe.signals)), (len(probe.actuators),))
    if shapes != wanted:
        raise ValueError(f"arms, signals and steps have shapes {shapes}, not {wanted}")
    if blocks <= WARM_BLOCKS + LAGS:
        raise ValueError(f"{blocks} blocks: at least {WARM_BLOCKS + LAGS + 1} are needed")
    if not np.isin(probe.arms, (-1.0, 1.0)).all():
        raise ValueError("an arm is -1 or +1")
    if not (np.isfinite(probe.values).all() and np.isfinite(probe.steps).all()):
        raise ValueError("there are gaps: leave out the blocks that have any")
