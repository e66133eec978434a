"""Which loops are there, of the control period and of each request, and what do the first wish?"""

from collections.abc import Callable
from typing import NamedTuple

from flyball.governor.loops import (
    autoscaling,
    consolidation,
    context,
    demotion,
    hedge,
    output,
    power,
    priority,
    queue,
    residency,
    retry,
    sessioncache,
    speculation,
    split,
)
from flyball.governor.loops.setpoint import Wish
from flyball.governor.loops.steering import LoopContext
from flyball.governor.state import State
from flyball.model.loop import Loop
from flyball.units import Seconds

Wishes = Callable[[State, LoopContext], list[Wish]]


class Entry(NamedTuple):
    """A loop, what it wishes given the state, and the horizon over which it counts."""

    loop: Loop
    wishes: Wishes
    horizon_s: Seconds


PERIOD_LOOPS: dict[str, Entry] = {
    entry.loop.name: entry
    for entry in (
        Entry(autoscaling.AUTOSCALING, autoscaling.wishes, autoscaling.HORIZON_S),
        Entry(power.POWER, power.wishes, power.HORIZON_S),
        Entry(consolidation.CONSOLIDATION, consolidation.wishes, consolidation.HORIZON_S),
        Entry(split.SPLIT, split.wishes, split.HORIZON_S),
        Entry(residency.RESIDENCY, residency.wishes, residency.HORIZON_S),
        Entry(sessioncache.SESSION_CACHE, sessioncache.wishes, sessioncache.HORIZON_S),
        Entry(priority.PRIORITY, priority.wishes, priority.HORIZON_S),
        Entry(speculation.SPECULATION, speculation.wishes, speculation.HORIZON_S),
    )
}

# Loops on the path of a request: they act on each one, so they need no set-point of a period.
REQUEST_LOOPS: dict[str, Loop] = {
    loop.name: loop
    for loop in (
        context.CONTEXT,
        output.OUTPUT,
        retry.RETRY,
        hedge.HEDGE,
        demotion.DEMOTION,
        queue.QUEUE,
    )
}
