"""What do both versions of the Workload Variant Autoscaler share: variants, costs, the HPA behind?

Pools that serve the same models are variants of one model. A wish to grow goes to the cheapest, a
wish to shrink to the dearest; the wish is then carried out by an HPA that stabilises both ways.
"""

from collections.abc import Mapping

from flyball.model.fleet import Fleet
from flyball.sim.loops import PoolReading
from flyball.sim.rivals.constants import constants
from flyball.sim.rivals.hpa import Pace, behavior


class Wva:
    """One instance sees all pools; a pool's variants count as they were last read."""

    name = ""

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        c = self.constants = constants(self.name, tuned)
        self.period_s = c["period_s"]
        self.pools = {pool.name: pool for pool in fleet.pools}
        self.latest: dict[str, PoolReading] = {}
        rules = behavior(c)
        self._paces = {name: Pace(rules) for name in self.pools}

    def desired(self, reading: PoolReading) -> int:
        """Replicas wanted, ready and starting together."""
        self.latest[reading.pool] = reading
        current = reading.ready + reading.starting
        wish = max(self.wish(reading), int(self.constants["replicas_min"]))
        return self._paces[reading.pool].limit(reading.at, current, wish)

    def wish(self, reading: PoolReading) -> int:
        """What the analyser asks of its HPA."""
        raise NotImplementedError

    def variants(self, pool: str) -> list[PoolReading]:
        """The last readings of all variants of that pool's model, its own included."""
        models = set(self.pools[pool].models)
        return [
            self.latest[name]
            for name, other in self.pools.items()
            if name in self.latest and models & set(other.models)
        ]

    def cost(self, pool: str) -> float:
        """What a replica costs: its price per hour, or the chart's default if none is set."""
        return self.pools[pool].profile.usd_per_hour or self.constants["variant_cost"]

    def cheapest(self, readings: list[PoolReading]) -> str:
        """The variant that grows: the cheapest without pending replicas; "" = none."""
        free = [one.pool for one in readings if not one.starting]
        return min(free, key=lambda pool: (self.cost(pool), pool), default="")

    def dearest(self, readings: list[PoolReading]) -> str:
        """The variant that shrinks: the dearest with more than the least replicas."""
        least = self.constants["replicas_min"]
        free = [one.pool for one in readings if one.ready > least]
        return max(free, key=lambda pool: (self.cost(pool), pool), default="")
