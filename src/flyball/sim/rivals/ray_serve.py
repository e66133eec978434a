"""Ray Serve's autoscaling: ongoing requests per replica against a target, after a delay.

desired = ceil(running replicas * mean ongoing / (target * running)); a wish must stand for the
delay of its direction before it is carried out, and a wish the other way starts the count anew.
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping

from flyball.model.fleet import Fleet
from flyball.sim.loops import PoolReading
from flyball.sim.rivals.constants import constants
from flyball.units import Seconds


class Memory:
    """What is kept of one pool; `since` = when the wish in this `direction` began."""

    def __init__(self) -> None:
        self.values: deque[tuple[Seconds, float]] = deque()
        self.direction = 0
        self.since: Seconds = 0.0


class RayServe:
    """Ongoing = running, waiting and held requests, their mean over the look-back."""

    name = "ray_serve"

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        self.constants = constants(self.name, tuned)
        self.period_s = self.constants["period_s"]
        self._pools: dict[str, Memory] = defaultdict(Memory)

    def desired(self, reading: PoolReading) -> int:
        """Replicas wanted, ready and starting together."""
        c, memory, at = self.constants, self._pools[reading.pool], reading.at
        total = reading.held + sum(one.running + one.waiting for one in reading.replicas)
        memory.values.append((at, float(total)))
        while memory.values[0][0] <= at - c["look_back_s"]:
            memory.values.popleft()
        mean = sum(value for _, value in memory.values) / len(memory.values)
        target = reading.ready + reading.starting
        if target == 0:
            return 1 if total else 0
        wish = math.ceil(mean / c["ongoing_target"])
        wish = min(max(wish, int(c["replicas_min"])), int(c["replicas_max"]))
        return self._delayed(memory, at, target, wish)

    def _delayed(self, memory: Memory, at: Seconds, target: int, wish: int) -> int:
        direction = (wish > target) - (wish < target)
        if direction != memory.direction:
            memory.direction, memory.since = direction, at
        delay_s = self.constants["up_delay_s" if direction > 0 else "down_delay_s"]
        if direction == 0 or at - memory.since < delay_s:
            return target
        memory.direction = 0
        return wish
