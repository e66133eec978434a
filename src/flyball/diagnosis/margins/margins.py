"""How far is each loop, and the load, from the point where the fleet stops coming to rest?

Gain margin of a loop = by which factor its gain may grow with all else as it is; load margin the
same for the load; trigger margin = the longest load spike that the fleet comes back from. All by
what-ifs in a twin, many side by side, by bisection; uncertainty by a bootstrap over the twin's
parameters, judged on the 10 % quantile.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.margins.linear import Spectrum, lifted, spectrum
from flyball.diagnosis.margins.whatif import Twin, safe, settle, trigger
from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, Any]

LOAD = "load"
QUANTILE = 0.1
# How far the search goes, as factors: a margin beyond it is told as this.
REACH = {LOAD: 1.6}
GAIN_REACH = 8.0
# What-ifs of one round and knob; each round divides the interval by one more than this.
_POINTS = 5
_ROUNDS = 2
# Noise itself is a trigger, and a fluid twin has none: the spike it allows is divided by this.
NOISE_SHARE = 1.25
_SPIKE_REACH_S = 240.0
_JUST_INSIDE = 0.97


class Margin(Struct, frozen=True, kw_only=True):
    """One knob's margin as a factor: `value` for the fitted parameters, `low` the 10 % quantile and
    `high` the 90 % over the bootstrap. `loop` = whose gain it is; "" for the load."""

    knob: str
    loop: str
    value: float
    low: float
    high: float


def margins(twin: Twin, rest: Array, theta: Array) -> tuple[Margin, ...]:
    """Margins of every gain and of the load; `rest` [N, 1 + B], `theta` [K, 1 + B]: the fitted
    parameters first, then their bootstrap (B may be 0)."""
    copies = theta.shape[1]
    knobs = (LOAD, *twin.gains.values())
    owner = {name: loop for loop, name in twin.gains.items()}
    width = len(knobs)
    low = np.ones((width, copies))
    high = np.array([REACH.get(name, GAIN_REACH) for name in knobs])[:, None] * low
    reach = high.copy()
    is_safe_at_reach = _rounds(twin, rest, theta, knobs, low, high)
    found = np.where(is_safe_at_reach, reach, low)
    found = np.where(_safe_now(twin, rest, theta)[None], found, 1.0)
    return tuple(
        Margin(
            knob=name,
            loop=owner.get(name, ""),
            value=float(found[index, 0]),
            low=float(np.quantile(found[index], QUANTILE)),
            high=float(np.quantile(found[index], 1 - QUANTILE)),
        )
        for index, name in enumerate(knobs)
    )


def _safe_now(twin: Twin, rest: Array, theta: Array) -> Array:
    return safe(twin, rest, theta)


def _rounds(
    twin: Twin, rest: Array, theta: Array, knobs: tuple[str, ...], low: Array, high: Array
) -> Array:
    """Narrows `low` (safe) and `high` (not) in place, [knobs, B]; returns which reach was safe."""
    width, copies = low.shape
    reached = np.zeros((width, copies), dtype=bool)
    for turn in range(_ROUNDS):
        parts = _POINTS + 1
        shares = np.arange(1, parts + (turn == 0)) / parts
        factors = low[None] * (high / low)[None] ** shares[:, None, None]
        wide = np.tile(theta, (1, factors.shape[0] * width))
        shaped = wide.reshape(len(theta), factors.shape[0], width, copies)
        for index, name in enumerate(knobs):
            shaped[twin.row(name), :, index] *= factors[:, index]
        places = np.tile(rest, (1, factors.shape[0] * width))
        good = safe(twin, places, wide).reshape(factors.shape)
        # The first that is not safe bounds the margin, whatever lies beyond it.
        first = np.where(good.all(axis=0), len(shares), np.argmin(good, axis=0))
        if turn == 0:
            reached = np.asarray(good.all(axis=0))
        edges = np.concatenate([low[None], factors, high[None]])
        row, column = np.indices((width, copies))
        low[:] = edges[first, row, column]
        high[:] = edges[np.minimum(first + 1, len(edges) - 1), row, column]
    return reached


def unsafe_share(
    twin: Twin, rest: Array, theta: Array, factors: dict[str, float]
) -> dict[str, Ratio]:
    """Per knob, the share of theta's columns [K, B] that are not safe with it times its factor:
    above `QUANTILE`, the margin's 10 % quantile lies below that factor. One batch, no search."""
    copies = theta.shape[1]
    wide = np.tile(theta, (1, len(factors)))
    for index, (name, factor) in enumerate(factors.items()):
        wide[twin.row(name), index * copies : (index + 1) * copies] *= factor
    good = safe(twin, np.tile(rest, (1, len(factors))), wide).reshape(len(factors), copies)
    return {name: float(1.0 - good[index].mean()) for index, name in enumerate(factors)}


def mode_at(twin: Twin, rest: Array, theta: Array, knob: str, factor: float) -> Spectrum | None:
    """The leading mode just inside a margin, of `rest` [N, 1] and `theta` [K, 1]; None = no rest
    was found there."""
    scaled = theta.copy()
    scaled[twin.row(knob)] *= max(1.0, 1.0 + (factor - 1.0) * _JUST_INSIDE)
    states, found = settle(twin, rest, scaled)
    if not found[0]:
        return None

    def step(copies: Array) -> Array:
        return twin.period(copies, np.repeat(scaled, copies.shape[1], axis=1))

    return spectrum(lifted(step, states[:, 0]), twin.parts)


def trigger_margin(
    twin: Twin, rest: Array, theta: Array, multiple: Ratio, step_s: Seconds = 4.0
) -> Seconds:
    """The longest spike of `multiple` times the load that leaves the fleet as it was, with the
    share that noise takes off; `rest` [N, 1], `theta` [K, 1]. At most 240 s are tried."""
    lasts = np.arange(step_s, _SPIKE_REACH_S + step_s, step_s)
    count = len(lasts)
    good = trigger(twin, np.repeat(rest, count, 1), np.repeat(theta, count, 1), multiple, lasts)
    longest = lasts[-1] if good.all() else step_s * int(np.argmin(good))
    return float(longest) / NOISE_SHARE
