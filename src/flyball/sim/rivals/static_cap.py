"""A static power cap: the site's limit shared equally among its replicas, whatever they do."""

from collections.abc import Mapping

from flyball.sim.rivals.constants import constants
from flyball.sim.rivals.power import PowerOrder, PowerReading


class StaticCap:
    """Not below what the hardware accepts as a cap; not above full power."""

    name = "static_cap"

    def __init__(self, tuned: Mapping[str, float] | None = None) -> None:
        self.constants = constants(self.name, tuned)
        self.period_s = self.constants["period_s"]

    def order(self, reading: PowerReading) -> PowerOrder:
        """The same order at every load."""
        full = reading.replica_watts_max
        share = reading.watts_max / max(1, reading.replicas)
        floor = self.constants["watts_floor_ratio"] * full
        return PowerOrder(replica_watts_cap=min(full, max(floor, share)))
