"""KEDA on waiting requests: an HPA from one replica up, KEDA itself at zero."""

from collections.abc import Mapping

from flyball.model.fleet import Fleet
from flyball.sim.loops import PoolReading
from flyball.sim.rivals.hpa import Hpa
from flyball.sim.rivals.hpa_on_epp import average_value
from flyball.units import Seconds


class Keda(Hpa):
    """To zero after `cooldown_s` without any work; from zero at the next poll that sees some."""

    name = "keda"

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        super().__init__(fleet, tuned)
        self._active_at: dict[str, Seconds] = {}
        self._polled_at: dict[str, Seconds] = {}

    def desired(self, reading: PoolReading) -> int:
        """Replicas wanted; the work that waits in the gateway counts as waiting."""
        c, pool = self.constants, reading.pool
        waiting = reading.held + sum(one.waiting for one in reading.replicas)
        busy = waiting + sum(one.running for one in reading.replicas)
        last = self._active_at.setdefault(pool, reading.at)
        if busy:
            last = self._active_at[pool] = reading.at
        current = reading.ready + reading.starting
        if current == 0:
            return self._wake(reading, busy)
        if c["replicas_min"] == 0 and reading.at - last >= c["cooldown_s"]:
            return 0
        return min(super().desired(reading), int(c["replicas_max"]))

    def _wake(self, reading: PoolReading, busy: int) -> int:
        c, pool = self.constants, reading.pool
        if reading.at - self._polled_at.get(pool, float("-inf")) >= c["polling_s"]:
            self._polled_at[pool] = reading.at
            if busy:
                return 1
        return 0

    def wish(self, reading: PoolReading) -> int:
        """ceil(waiting / 5), and at least one, as an HPA cannot go to zero."""
        c = self.constants
        waiting = reading.held + sum(one.waiting for one in reading.replicas)
        current = reading.ready + reading.starting
        wish = average_value(current, waiting, c["waiting_target"], c["tolerance"])
        return max(1, wish)
