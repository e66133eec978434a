"""What would the usual detectors tell of the same table: burn rate, trends, change, causality?

Each is a function from a table to the moments at which it begins to alarm; a threshold is one
number, to be tuned on scenarios that do not judge, or its publication's where it has one. None
names a loop but Granger's. ADWIN and Page-Hinkley of river, and PCMCI of tigramite, are programs
of their own that read the same file.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.signals import Signals
from flyball.sim.incidents.folder import Told
from flyball.units import Seconds

Array = np.ndarray[Any, Any]

MINUTE_S: Seconds = 60.0
# An alarm is over when its statistic was below the threshold for so many minutes.
GONE_MIN = 60
# The first hour is each table's own normal.
NORMAL_MIN = 60
WINDOW_MIN = 60
PERSISTS_MIN = 3
SLO_BAD = 0.01
# What an idle first hour counts as at least, lest every ripple be a thousandfold: retries per
# attempt, and the standard deviation of latency as a share of its mean.
RETRIES_MIN, SPREAD_MIN = 0.01, 0.02


class Baseline(Struct, frozen=True, kw_only=True):
    """`statistic(table)` = a value per minute, NaN = not yet; it alarms above `threshold`.
    `is_given` = the threshold is the publication's, not tuned. `loops` names the loops at a
    minute, where it can."""

    name: str
    statistic: Callable[[Signals], Array]
    threshold: float
    is_given: bool = False
    loops: Callable[[Signals, int], tuple[str, ...]] | None = None


def minutes(signals: Signals, name: str) -> Array:
    """Means of whole minutes, [M]."""
    width = max(round(MINUTE_S / signals.step_s), 1)
    values = signals.column(name)
    return np.nan_to_num(values[: len(values) // width * width]).reshape(-1, width).mean(axis=1)


def trailing(values: Array, width: int) -> Array:
    """Means of the last `width` minutes, fewer at the begin."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - width, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _bad_share(signals: Signals, width: int) -> Array:
    bad = trailing(minutes(signals, "plant.bad_per_s"), width)
    return bad / np.maximum(trailing(minutes(signals, "plant.finished_per_s"), width), 1e-9)


def burn_rate(signals: Signals) -> Array:
    """Multi-window, multi-burn-rate: 14.4 times the budget over 1 h and 5 min, or 6 times over 6 h
    and 30 min (Google, The Site Reliability Workbook, ch. 5), as a share of the threshold."""
    rates = {width: _bad_share(signals, width) / SLO_BAD for width in (5, 30, 60, 360)}
    fast = np.minimum(rates[60], rates[5]) / 14.4
    slow = np.minimum(rates[360], rates[30]) / 6.0
    return np.maximum(fast, slow)


def over_normal(values: Array, floor: float = 1e-9) -> Array:
    """Five-minute means over the mean of the first hour, or `floor` if more; NaN within it."""
    recent = trailing(values, 5)
    normal = max(float(values[:NORMAL_MIN].mean()), floor) if len(values) else 1.0
    told = recent / normal
    told[:NORMAL_MIN] = np.nan
    return told


def latency(signals: Signals) -> Array:
    """Mean latency against the first hour's."""
    return over_normal(minutes(signals, "plant.latency_s"))


def retry_ratio(signals: Signals) -> Array:
    """Retries per attempt against the first hour's."""
    retries = minutes(signals, "plant.retries_per_s")
    attempts = np.maximum(minutes(signals, "plant.attempts_per_s"), 1e-9)
    return over_normal(retries / attempts, RETRIES_MIN)


def _windows(signals: Signals) -> Array:
    """[M, 60] hours of detrended latency, a row per minute; short rows are left out."""
    values = minutes(signals, "plant.latency_s")
    if len(values) < WINDOW_MIN:
        return np.zeros((0, WINDOW_MIN))
    rows = np.lib.stride_tricks.sliding_window_view(values, WINDOW_MIN)
    time = np.linspace(-1.0, 1.0, WINDOW_MIN)
    level = rows - rows.mean(axis=1, keepdims=True)
    return level - (level @ time)[:, None] * time / float(time @ time)


def _late(values: Array, signals: Signals) -> Array:
    """NaN for the minutes that have no whole window and for the normal hour after them."""
    count = len(minutes(signals, "plant.latency_s"))
    told = np.full(count, np.nan)
    told[count - len(values) :] = values
    told[: WINDOW_MIN + NORMAL_MIN] = np.nan
    return told


def autocorrelation(signals: Signals) -> Array:
    """Lag-1 autocorrelation of detrended latency over an hour, less that of the first hour."""
    rows = _windows(signals)
    if not len(rows):
        return _late(np.zeros(0), signals)
    across = (rows[:, 1:] * rows[:, :-1]).sum(axis=1)
    ar1 = across / np.maximum((rows**2).sum(axis=1), 1e-12)
    return _late(ar1 - ar1[0], signals)


def variance(signals: Signals) -> Array:
    """Variance of detrended latency over an hour, over that of the first hour."""
    rows = _windows(signals)
    if not len(rows):
        return _late(np.zeros(0), signals)
    spread = rows.var(axis=1)
    return _late(spread / max(float(spread[0]), _least(signals) ** 2), signals)


def _least(signals: Signals) -> float:
    """The least standard deviation of latency that counts, s."""
    mean = float(minutes(signals, "plant.latency_s")[:NORMAL_MIN].mean())
    return max(SPREAD_MIN * mean, 1e-9)


def kendall(signals: Signals) -> Array:
    """Kendall's tau of the last two hours of lag-1 autocorrelation, every fifth minute
    (Dakos et al., PLoS ONE 7(7), 2012)."""
    ar1 = autocorrelation(signals)
    told = np.full(len(ar1), np.nan)
    points, every = 24, 5
    ordered = np.arange(points)
    later = np.sign(ordered[None] - ordered[:, None])
    for minute in range(len(ar1)):
        picked = ar1[max(minute - every * (points - 1), 0) : minute + 1 : every]
        if minute % every or len(picked) < points or np.isnan(picked).any():
            continue
        pairs = np.sign(picked[None] - picked[:, None]) * later
        told[minute] = pairs.sum() / (points * (points - 1))
    return _held(told)


def _held(values: Array) -> Array:
    """A gap has the value before it."""
    known = np.where(np.isnan(values), 0, np.arange(len(values)))
    return values[np.maximum.accumulate(known)] if len(values) else values


def page_hinkley(signals: Signals) -> Array:
    """Page's cumulative sum of latency in standard deviations of the first hour, with a slack of a
    half (Page 1954; Hinkley 1971)."""
    values = minutes(signals, "plant.latency_s")
    normal = values[:NORMAL_MIN]
    scaled = (values - normal.mean()) / max(float(normal.std()), _least(signals)) - 0.5
    sums = np.cumsum(np.where(np.arange(len(values)) < NORMAL_MIN, 0.0, scaled))
    told = sums - np.minimum.accumulate(np.minimum(sums, 0.0))
    told[:NORMAL_MIN] = np.nan
    return told


def _granger(signals: Signals) -> tuple[Array, list[str]]:
    """F of each loop's set-point on latency over two hours of minutes, two lags, [M, loops]."""
    out = minutes(signals, "plant.latency_s")
    loops = [loop for loop in signals.loops if np.ptp(signals.column(f"loop.{loop}.setpoint")) > 0]
    told = np.full((len(out), max(len(loops), 1)), np.nan)
    moved = [minutes(signals, f"loop.{loop}.setpoint") for loop in loops]
    width = 120
    for minute in range(width, len(out), 5):
        span = slice(minute - width, minute)
        past = _lagged(out[span])
        for place, series in enumerate(moved):
            both = np.hstack([past, _lagged(series[span])[:, 1:]])
            told[minute, place] = _f_value(out[span][2:], past, both)
    return told, loops


def _lagged(values: Array) -> Array:
    return np.stack([np.ones(len(values) - 2), values[1:-1], values[:-2]], axis=1)


def _f_value(target: Array, small: Array, large: Array) -> float:
    rests = [
        float(((target - one @ np.linalg.lstsq(one, target, rcond=None)[0]) ** 2).sum())
        for one in (small, large)
    ]
    free = len(target) - large.shape[1]
    added = large.shape[1] - small.shape[1]
    return (rests[0] - rests[1]) / added / max(rests[1] / free, 1e-12)


def granger(signals: Signals) -> Array:
    """The largest F of a set-point on latency (Granger 1969)."""
    told, _ = _granger(signals)
    return _held(np.max(told, axis=1))


def granger_loops(signals: Signals, minute: int) -> tuple[str, ...]:
    """Loops by their F at a minute, the largest first."""
    told, loops = _granger(signals)
    row = told[minute - minute % 5]
    return tuple(loops[place] for place in np.argsort(-row)) if loops else ()


# Those that are not given are the least without an alarm in 39 neutral days of the tuning half.
BASELINES: Mapping[str, Baseline] = {
    one.name: one
    for one in (
        Baseline(name="burn-rate", statistic=burn_rate, threshold=1.0, is_given=True),
        Baseline(name="latency", statistic=latency, threshold=1.32),
        Baseline(name="retry-ratio", statistic=retry_ratio, threshold=1.23),
        Baseline(name="autocorrelation", statistic=autocorrelation, threshold=0.99),
        Baseline(name="variance", statistic=variance, threshold=55.0),
        Baseline(name="kendall", statistic=kendall, threshold=0.88),
        Baseline(name="page-hinkley", statistic=page_hinkley, threshold=8700.0),
        Baseline(name="granger", statistic=granger, threshold=48.0, loops=granger_loops),
    )
}


def begins(values: Array, threshold: float) -> list[int]:
    """Minutes at which it has been above the threshold for three minutes, and was below for an
    hour since it was told last."""
    told: list[int] = []
    above = below = 0
    is_told = False
    for minute, value in enumerate(values):
        if value > threshold:
            above, below = above + 1, 0
        else:
            above, below = 0, below + 1
        is_told = is_told and below < GONE_MIN
        if above >= PERSISTS_MIN and not is_told:
            told.append(minute)
            is_told = True
    return told


def told(name: str, signals: Signals, threshold: float | None = None) -> tuple[Told, ...]:
    """What a baseline tells of a table. Raises KeyError for no baseline, or for a signal that the
    table has not."""
    one = BASELINES[name]
    limit = one.threshold if threshold is None else threshold
    begin_s = float(signals.times_s[0]) - signals.step_s
    return tuple(
        Told(
            at=begin_s + (minute + 1) * MINUTE_S,
            kind=name,
            loops=one.loops(signals, minute) if one.loops else (),
        )
        for minute in begins(one.statistic(signals), limit)
    )
