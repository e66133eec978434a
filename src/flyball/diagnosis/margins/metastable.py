"""Can a passing trigger leave this fleet in a bad state that holds itself up?

Fluid form: dQ/dt = a(Q) - d(Q), arrivals with retries against departures of the queue. With three
states of rest or more the fleet is vulnerable: the middle, unstable one is the edge (separatrix).
Hidden capacity = the highest fresh load at which the bad state is no state of rest; above it the
fleet runs well only until something pushes it (Bronson et al., HotOS'21; Huang et al., OSDI'22).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.units import Seconds

Array = np.ndarray[Any, Any]

_GRID = 4001
_SEARCHES = 40


class Rest(Struct, frozen=True, kw_only=True):
    """A queue at which arrivals equal departures, and whether it draws the queue near it in."""

    queue: float
    is_stable: bool


class Basin(Struct, frozen=True, kw_only=True):
    """`rests` from small to large. `edge` = the queue past which the fleet falls to the bad state;
    None = not vulnerable."""

    rests: tuple[Rest, ...]
    edge: float | None

    @property
    def is_vulnerable(self) -> bool:
        """Whether there is another stable state than the good one."""
        return self.edge is not None


def basin(flow: Callable[[Array], Array], queue_max: float) -> Basin:
    """States of rest of dQ/dt = flow(Q) on [0, queue_max], by sign changes on a grid.

    A queue that still grows at `queue_max` counts as a bad state there: it is bounded by patience
    or memory, not by this model.
    """
    queues = np.linspace(0.0, queue_max, _GRID)
    rates = flow(queues)
    rests = []
    for at in np.flatnonzero(np.sign(rates[:-1]) * np.sign(rates[1:]) < 0):
        share = rates[at] / (rates[at] - rates[at + 1])
        place = queues[at] + share * (queues[at + 1] - queues[at])
        rests.append(Rest(queue=float(place), is_stable=bool(rates[at] > 0)))
    if rates[-1] > 0:
        rests.append(Rest(queue=float(queue_max), is_stable=True))
    stable = [rest for rest in rests if rest.is_stable]
    unstable = [rest.queue for rest in rests if not rest.is_stable]
    edge = unstable[0] if len(stable) > 1 and unstable else None
    return Basin(rests=tuple(rests), edge=edge)


def hidden_capacity(
    flow_at: Callable[[float], Callable[[Array], Array]],
    load_low: float,
    load_high: float,
    queue_max: float,
) -> float:
    """lambda_h: the highest fresh load without a bad state, by bisection between a load known to
    be free of one and one that is not. Raises ValueError where `load_low` has one already."""
    if basin(flow_at(load_low), queue_max).is_vulnerable:
        raise ValueError(f"a load of {load_low:g} already has a bad state of rest")
    low, high = load_low, load_high
    for _ in range(_SEARCHES):
        middle = 0.5 * (low + high)
        found = basin(flow_at(middle), queue_max)
        is_bad = found.is_vulnerable or not found.rests or found.rests[0].queue >= queue_max
        low, high = (low, middle) if is_bad else (middle, high)
    return low


def trigger(
    flow_at: Callable[[float], Callable[[Array], Array]],
    load: float,
    multiple: float,
    queue_max: float,
    step_s: Seconds = 0.1,
    lasts_max_s: Seconds = 3600.0,
) -> Seconds:
    """How long a spike of `multiple` times the load may last before the queue is past the edge;
    inf = never within `lasts_max_s`, or not vulnerable."""
    here = basin(flow_at(load), queue_max)
    if here.edge is None:
        return float("inf")
    spiked = flow_at(load * multiple)
    queue: Array = np.array([min(rest.queue for rest in here.rests if rest.is_stable)])
    for count in range(int(lasts_max_s / step_s)):
        if queue[0] >= here.edge:
            return count * step_s
        queue = np.maximum(queue + step_s * spiked(queue), 0.0)
    return float("inf")
