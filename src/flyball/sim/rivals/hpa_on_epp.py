"""llm-d's guide: an HPA on the endpoint picker's queue (whole) and running requests (mean)."""

import math

from flyball.sim.loops import PoolReading
from flyball.sim.rivals.hpa import Hpa, wished


class HpaOnEpp(Hpa):
    """The greater wish of the two metrics counts. Running, to the picker, is all that it has sent
    and not got back: what waits in an engine is running too."""

    name = "hpa_on_epp"

    def wish(self, reading: PoolReading) -> int:
        """Queue: ready * queue / 250. Running: ceil(sum / 250), within the tolerance as it is."""
        c = self.constants
        current = reading.ready + reading.starting
        ratio = reading.held / c["queue_target"]
        by_queue = wished(reading.ready, ratio, c["tolerance"])
        if by_queue == reading.ready:
            by_queue = current
        running = sum(one.running + one.waiting for one in reading.replicas)
        return max(by_queue, average_value(current, running, c["running_target"], c["tolerance"]))


def average_value(current: int, total: float, target: float, tolerance: float) -> int:
    """The HPA's rule for a target of type AverageValue: ceil(total / target), unless the mean over
    the current replicas is within the tolerance of the target."""
    if current and abs(total / (target * current) - 1.0) <= tolerance:
        return current
    return math.ceil(total / target)
