"""A pod autoscaler with a panic mode, as Knative invented it and AIBrix sets it.

desired = ceil(mean concurrency over the stable window / target). When the mean over the panic
window asks for twice the ready replicas or more, it panics: the greater of both wishes counts and
nothing is taken away until a stable window has passed without panic.
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping

from flyball.model.fleet import Fleet
from flyball.sim.loops import PoolReading
from flyball.sim.rivals.constants import constants
from flyball.units import Seconds


class Memory:
    """What is kept of one pool."""

    def __init__(self) -> None:
        self.values: deque[tuple[Seconds, float]] = deque()
        self.wishes: deque[tuple[Seconds, int]] = deque()
        self.panic_at: Seconds | None = None
        self.panic_pods = 0


class Kpa:
    """Concurrency = running, waiting and held requests together."""

    name = "kpa"

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        self.constants = constants(self.name, tuned)
        self.period_s = self.constants["period_s"]
        self._pools: dict[str, Memory] = defaultdict(Memory)

    def desired(self, reading: PoolReading) -> int:
        """Replicas wanted, ready and starting together."""
        c, memory, at = self.constants, self._pools[reading.pool], reading.at
        total = reading.held + sum(one.running + one.waiting for one in reading.replicas)
        memory.values.append((at, float(total)))
        while memory.values[0][0] < at - c["stable_s"]:
            memory.values.popleft()
        wish = self._wish(memory, reading)
        current = reading.ready + reading.starting
        if current and abs(wish / current - 1.0) <= c["tolerance"]:
            wish = current
        return max(self._delayed(memory, at, wish), int(c["replicas_min"]))

    def _wish(self, memory: Memory, reading: PoolReading) -> int:
        c, at, ready = self.constants, reading.at, reading.ready
        most = max(1, math.ceil(c["rate_max"] * ready))
        least = math.floor(ready / c["rate_max"])
        stable = math.ceil(_mean(memory, at - c["stable_s"]) / c["concurrency_target"])
        panic = math.ceil(_mean(memory, at - c["panic_s"]) / c["concurrency_target"])
        if panic / max(1, ready) >= c["panic_threshold"]:
            if memory.panic_at is None:
                memory.panic_pods = ready
            memory.panic_at = at
        elif memory.panic_at is not None and at - memory.panic_at >= c["stable_s"]:
            memory.panic_at = None
        stable, panic = (min(max(wish, least), most) for wish in (stable, panic))
        if memory.panic_at is None:
            return stable
        memory.panic_pods = max(memory.panic_pods, stable, panic)
        return memory.panic_pods

    def _delayed(self, memory: Memory, at: Seconds, wish: int) -> int:
        """The greatest wish of the delay window: growth at once, shrinking late."""
        memory.wishes.append((at, wish))
        while memory.wishes[0][0] < at - self.constants["down_delay_s"]:
            memory.wishes.popleft()
        return max(n for _, n in memory.wishes)


def _mean(memory: Memory, since: Seconds) -> float:
    values = [value for then, value in memory.values if then >= since]
    return sum(values) / len(values)
