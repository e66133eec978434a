"""WVA's saturation analyser: one replica more as spare runs out, one less where there is plenty."""

from flyball.sim.loops import PoolReading, ReplicaReading
from flyball.sim.rivals.wva import Wva


class WvaV1(Wva):
    """A replica is saturated at KV >= 0.8 or queue >= 5; spare = mean distance of the others from
    these. Grow: spare KV < 0.1 or spare queue < 3. Shrink: at least two are unsaturated, and the
    load of N on N - 1 leaves more than both triggers."""

    name = "wva_v1"

    def wish(self, reading: PoolReading) -> int:
        """One step up for the cheapest variant, one down for the dearest, else what is there."""
        current = reading.ready + reading.starting
        variants = self.variants(reading.pool)
        replicas = [one for variant in variants for one in variant.replicas]
        if not replicas:
            return current
        unsaturated = [one for one in replicas if not self._is_saturated(one)]
        if not unsaturated or self._is_short(unsaturated, 1.0):
            return current + (self.cheapest(variants) == reading.pool)
        count = len(unsaturated)
        if count >= 2 and not self._is_short(unsaturated, count / (count - 1)):
            return current - (self.dearest(variants) == reading.pool)
        return current

    def _is_saturated(self, one: ReplicaReading) -> bool:
        c = self.constants
        return one.kv_usage >= c["kv_threshold"] or one.waiting >= c["queue_threshold"]

    def _is_short(self, replicas: list[ReplicaReading], load: float) -> bool:
        """Whether `load` times the present load would leave too little spare."""
        c, count = self.constants, len(replicas)
        kv = sum(one.kv_usage for one in replicas) / count * load
        queue = sum(one.waiting for one in replicas) / count * load
        return (
            c["kv_threshold"] - kv < c["kv_spare_trigger"]
            or c["queue_threshold"] - queue < c["queue_spare_trigger"]
        )
