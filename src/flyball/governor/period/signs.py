"""Which signals does the fleet give of itself in one interval, in one row?

Names follow `diagnosis.signals`: `plant.*` of all classes together, `class.NAME.*`, `pool.NAME.*`,
`loop.NAME@SCOPE.setpoint` and `.saturated`. Demand is what came in within the interval alone: the
tally's mean with its memory taken out, x = (y - y_before e^-d) / (1 - e^-d), d = interval / memory.
"""

from math import exp, inf, nan

import numpy as np

from flyball.governor.loops.registry import PERIOD_LOOPS
from flyball.governor.state import State
from flyball.governor.tally import RATE_MEMORY_S
from flyball.governor.watching import (
    AGAIN,
    ANSWERED,
    ATTEMPTS,
    ENDED,
    FAILED,
    FIELDS,
    IN_TIME,
    KEPT,
    OFFERED,
    SPEND,
    TTFT,
    Row,
    Watching,
)
from flyball.units import Seconds

# More than these are left out, the last classes, pools and loops first: a row stays small.
SIGNALS_MAX = 4096
PLANT = ("fresh_per_s", "attempts_per_s", "failed_per_s", "retries_per_s", "spend_per_s")
CLASS = (
    "fresh_per_s",
    "retries_per_s",
    "in_time_ratio",
    "ttft_s",
    "spend_per_s",
    "tokens_offered_per_s",
    "tokens_kept_per_s",
)
POOL = ("load", "busy", "waiting")
LOOP = ("setpoint", "saturated")


def begin(state: State) -> None:
    """A new configuration: other names, and no rows yet. What was found stays."""
    watching = state.watching
    watching.generation = state.generation
    watching.counts = {klass.name: [0.0] * len(FIELDS) for klass in state.policy.classes}
    watching.rates = {name: state.tallies[name].rate_per_s for name in watching.counts}
    watching.rows.clear()
    watching.names = _names(state)
    watching.pools = tuple(endpoint.pool.name for endpoint in state.view.endpoints)


def _names(state: State) -> tuple[str, ...]:
    names = [f"plant.{one}" for one in PLANT]
    names += [f"class.{klass.name}.{one}" for klass in state.policy.classes for one in CLASS]
    names += [f"pool.{pool.name}.{one}" for pool in state.fleet.pools for one in POOL]
    names += [f"loop.{name}@{scope}.{one}" for name, _, scope in _points(state) for one in LOOP]
    return tuple(names[:SIGNALS_MAX])


def _points(state: State) -> list[tuple[str, str, str]]:
    """(loop, actuator, scope) of the loops of the period, by pool or as their scopes say."""
    return [
        (policy.name, PERIOD_LOOPS[policy.name].loop.actuator, scope)
        for policy in state.policy.loops
        if policy.name in PERIOD_LOOPS
        for scope in policy.scopes or tuple(pool.name for pool in state.fleet.pools)
    ]


def row(state: State, at: Seconds) -> Row:
    """The signals of the interval that ends at `at`, in the order of `Watching.names`; counts
    begin anew. NaN = that was not seen."""
    watching = state.watching
    elapsed = max(at - watching.looked_at, 1e-3)
    classes = _classes(state, watching, elapsed)
    found = [sum(column) for column in zip(*(plant for plant, _ in classes), strict=True)]
    for _, some in classes:
        found += some
    found += _pools(state)
    found += _loops(state)
    for counted in watching.counts.values():
        counted[:] = [0.0] * len(FIELDS)
    return np.array(found[:SIGNALS_MAX], dtype=float)


def _classes(
    state: State, watching: Watching, elapsed: Seconds
) -> list[tuple[list[float], list[float]]]:
    """Of each class: its part of the plant's signals, and its own."""
    fade = exp(-elapsed / RATE_MEMORY_S)
    found: list[tuple[list[float], list[float]]] = []
    for name, counted in watching.counts.items():
        rate = state.tallies[name].rate_per_s
        fresh = max(0.0, (rate - watching.rates.get(name, 0.0) * fade) / (1.0 - fade))
        watching.rates[name] = rate
        each = [value / elapsed for value in counted]
        plant = [fresh, each[ATTEMPTS], each[FAILED], each[AGAIN], each[SPEND]]
        in_time = counted[IN_TIME] / counted[ENDED] if counted[ENDED] else nan
        ttft_s = counted[TTFT] / counted[ANSWERED] if counted[ANSWERED] else nan
        own = [fresh, each[AGAIN], in_time, ttft_s, each[SPEND], each[OFFERED], each[KEPT]]
        found.append((plant, own))
    return found


def _pools(state: State) -> list[float]:
    """Planned load, sequences over what fits, and what waits, of each pool."""
    count = len(state.fleet.pools)
    running, room, waiting = [0.0] * count, [0.0] * count, [0.0] * count
    for endpoint in state.view.endpoints:
        place = endpoint.pool_index
        running[place] += endpoint.running + endpoint.peer_running
        room[place] += endpoint.pool.profile.limits.seqs_max
        waiting[place] += endpoint.pending + endpoint.peer_pending
    loads = {price.pool: price.load for price in state.view.board.pools}
    found: list[float] = []
    for place, pool in enumerate(state.fleet.pools):
        busy = running[place] / room[place] if room[place] else nan
        found += [loads.get(pool.name, nan), busy, waiting[place]]
    return found


def _loops(state: State) -> list[float]:
    """Where each set-point stands, and whether at a limit."""
    limits = {context.loop.name: context.loop for context in state.contexts}
    found: list[float] = []
    for name, actuator, scope in _points(state):
        point = state.setpoints.find(actuator, scope)
        loop = limits.get(name)
        if point is None or loop is None:
            found += [nan, nan]
            continue
        at_top = loop.limit_high < inf and point.present >= loop.limit_high
        found += [point.present, float(at_top or point.present <= loop.limit_low)]
    return found
