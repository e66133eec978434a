"""By which laws does the test plant queue, fail and answer back, and how may they differ?

The first law is the one that a fluid twin assumes; the others are structurally unlike it, fitted to
the same mean latency at the same utilisation, so that only slopes and limits differ.
"""

from typing import Any, Literal

import numpy as np
from msgspec import Struct

from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, Any]

# batching: Q/(c + Q). saturating: 1 - exp(-Q/c). slots: a soft min(Q/c, 1), as of a fixed number
# of servers with a queue before them.
QueueLaw = Literal["batching", "saturating", "slots"]
# Utilisation at rest of the fast and of the slow pool, where the laws are made to agree.
_USE = np.array([[0.72], [0.63]])
_SHARP = 3.0


class Laws(Struct, frozen=True, kw_only=True):
    """What the plant is; the defaults are the published one. Work in attempts of full context.

    `leaving` = share of the load that stays away while latency is high, an unknown loop;
    `chill` = extra work per unit that the router's share has moved lately (cold caches), another.
    """

    queue: QueueLaw = "batching"
    fast_c: float = 60.0
    slow_c: float = 30.0
    slow_rate: float = 15.0
    fail_base: Ratio = 0.03
    fail_span: Ratio = 0.75
    fail_mid: Ratio = 0.35
    fail_width: Ratio = 0.07
    patience_s: Seconds = 22.0
    patience_width_s: Seconds = 1.5
    persistence: Ratio = 0.8
    backoff_s: tuple[int, int] = (3, 11)
    age_s: int = 5
    burst: float = 0.02
    burst_s: Seconds = 60.0
    promise_s: Seconds = 15.0
    leaving: Ratio = 0.0
    chill: float = 0.0


def scales(laws: Laws) -> Array:
    """The c of both pools, [2, 1], such that every law has the first one's queue and throughput at
    rest."""
    c = np.array([[laws.fast_c], [laws.slow_c]])
    held = _USE / (1.0 - _USE)
    if laws.queue == "saturating":
        return c * held / -np.log1p(-_USE)
    if laws.queue == "slots":
        return c * held * (_USE**-_SHARP - 1.0) ** (1.0 / _SHARP)
    return c


def busy(law: QueueLaw, queue: Array, c: Array) -> Array:
    """The share of a pool's rate that `queue` attempts in flight make use of, in [0, 1)."""
    scaled = queue / c
    if law == "batching":
        return scaled / (1.0 + scaled)
    if law == "saturating":
        return -np.expm1(-scaled)
    return scaled / (1.0 + scaled**_SHARP) ** (1.0 / _SHARP)


def latency(law: QueueLaw, queue: Array, c: Array, rate: Array) -> Array:
    """Seconds in the pool by Little's law, queue / throughput; of an empty pool, its limit."""
    held = np.maximum(queue, 0.5)
    return held / np.maximum(rate * busy(law, held, c), 1e-9)


def quality_fails(laws: Laws, kept: Array) -> Array:
    """Chance that an attempt fails for the context that was cut from it."""
    return laws.fail_base + laws.fail_span / (
        1.0 + np.exp((kept - laws.fail_mid) / laws.fail_width)
    )
