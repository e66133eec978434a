"""WVA's token analyser: the token capacity that the demand needs, against what is there or coming.

A replica's capacity = min(k1, k2): k1 = 0.8 of its KV tokens; k2 = the tokens in use whenever its
queue was full (mean of the last ten), else N * (I + O / 2) with N = min(B * O / (I + O), S) of the
engine's batched tokens B and sequences S, and mean prompt I and answer O.
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import median

from flyball.model.fleet import Fleet
from flyball.sim.loops import PoolReading, ReplicaReading
from flyball.sim.rivals.wva import Wva


class WvaV2(Wva):
    """required = demand / 0.85 - supply with what starts; spare = supply - demand / 0.7."""

    name = "wva_v2"

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        super().__init__(fleet, tuned)
        most = int(self.constants["window"])
        self._observed: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=most))

    def wish(self, reading: PoolReading) -> int:
        """Enough of the cheapest variant for what is required; less of the dearest by what is
        spare."""
        c = self.constants
        variants = self.variants(reading.pool)
        capacity = {one.pool: self.capacity(one) for one in variants}
        demand = sum(self._demand(one) for one in variants)
        supply = sum(capacity[one.pool] * one.ready for one in variants)
        coming = sum(capacity[one.pool] * one.starting for one in variants)
        current, own = reading.ready + reading.starting, capacity[reading.pool]
        required = demand / c["scale_up_threshold"] - (supply + coming)
        spare = supply - demand / c["scale_down_boundary"]
        if required > 0.0:
            return current + (
                math.ceil(required / own) if self.cheapest(variants) == reading.pool else 0
            )
        if spare >= own and self.dearest(variants) == reading.pool:
            return current - math.floor(spare / own)
        return current

    def _demand(self, reading: PoolReading) -> float:
        queued = reading.held + sum(one.waiting for one in reading.replicas)
        used = sum(self._used(reading.pool, one) for one in reading.replicas)
        return used + queued * reading.prompt_tokens_mean

    def _used(self, pool: str, one: ReplicaReading) -> float:
        return one.kv_usage * self.pools[pool].profile.limits.kv_tokens_max

    def capacity(self, reading: PoolReading) -> float:
        """Tokens that one replica of the pool can hold at work: the median of the ready ones."""
        limits = self.pools[reading.pool].profile.limits
        by_memory = self.constants["kv_threshold"] * limits.kv_tokens_max
        found = [
            min(by_memory, self._by_compute(reading, one, by_memory)) for one in reading.replicas
        ]
        return max(1.0, median(found) if found else by_memory)

    def _by_compute(self, reading: PoolReading, one: ReplicaReading, by_memory: float) -> float:
        observed, used = self._observed[reading.pool], self._used(reading.pool, one)
        if one.waiting >= self.constants["queue_threshold"] and used > 0.0:
            observed.append(used)
            return used
        if observed:
            return sum(observed) / len(observed)
        limits = self.pools[reading.pool].profile.limits
        prompt, answer = reading.prompt_tokens_mean, reading.output_tokens_mean
        if not answer:
            return by_memory
        seqs = min(limits.step_tokens_max * answer / (prompt + answer), limits.seqs_max)
        return seqs * (prompt + answer / 2.0)
