"""How does the four-loop fleet behave when each attempt is served by itself, event by event?

A discrete-event plant, structurally unlike the twin: every attempt has its own work (lognormal) and
waits, first come first served, for one of a pool's slots; latency is its wait and its service.
Loops, clients and laws of failure are those of the other plant. One copy only, as events do not
run side by side.
"""

import heapq
from typing import Any

import numpy as np

from flyball.sim.incidents.plant import Plant
from flyball.sim.incidents.plant_laws import Laws

Array = np.ndarray[Any, Any]

# Attempts that one replica serves at once, and the spread of their work (standard deviation of the
# logarithm). A slot is slow in proportion, so that a replica's rate is the other plant's.
SLOTS_PER_REPLICA = 5.0
SLOW_SLOTS = 60
_WORK_SPREAD = 0.5


class EventPlant(Plant):
    """The same door as `Plant`; `copies` must be 1."""

    def __init__(
        self, laws: Laws, copies: int, seed: int, probing: bool = True, step_s: int = 10
    ) -> None:
        if copies != 1:
            raise ValueError(f"events do not run side by side: one copy, not {copies}")
        super().__init__(laws, copies, seed, probing, step_s)
        self.size = [198, SLOW_SLOTS]
        # When each slot is free again; and of attempts in the pool: (end, latency).
        self.free = [[0.0] * size for size in self.size]
        self.ends: list[list[tuple[float, float]]] = [[], []]
        self.queues = np.zeros((2, 1), dtype=int)
        self.recent = [6.0, 5.0]

    def step(self) -> None:
        """One second."""
        kept = np.clip(self.kept + self.offsets["cost"], 0.02, 1.0)
        each = (0.5 + 0.5 * kept) * self.settings.tokens * (1.0 + self.laws.chill * self.moved)
        ready = np.maximum(self.ordered.min(axis=0) + self.offsets["autoscaler"], 1.0)
        self._resize(round(float(ready[0]) * SLOTS_PER_REPLICA))
        fresh, arrived = self._arrivals()
        slow_s = SLOW_SLOTS / self.laws.slow_rate
        whole_s = (SLOTS_PER_REPLICA / float(self.speed[0]), slow_s)
        for pool in (0, 1):
            self._serve(pool, int(arrived[pool, 0]), whole_s[pool] * float(each[0]))
        done = [self._finished(pool) for pool in (0, 1)]
        served = np.array([[len(some)] for some in done])
        for pool, some in enumerate(done):
            if some:
                self.recent[pool] = float(np.mean(some))
        waits = np.array([[value] for value in self.recent])
        self.queues = np.array([[len(some)] for some in self.ends])
        used = np.array([min(len(self.ends[0]) / self.size[0], 1.0)])
        worth = self._failures(served, waits, kept)
        spent = arrived.sum(axis=0) * each
        self.spent += spent
        self.used += used
        self.seen = np.concatenate([self.filtered[None], self.seen[:-1]])
        self.filtered = self.filtered + (waits[1] - waits[0] - self.filtered) * -np.expm1(-0.2)
        self.slow_latency += (waits.mean(axis=0) - self.slow_latency) / 60.0
        mean = (served * waits).sum(axis=0) / np.maximum(served.sum(axis=0), 1)
        attempts = arrived.sum(axis=0)
        self._write(
            [fresh, attempts, attempts - fresh, *worth[:2], *worth[2:4]],
            [spent, mean, self.queues[0], served[0], self.queues[1]],
            [served[1], waits[0], waits[1], ready, used, *worth[4:]],
        )
        self.second += 1
        self._act(ready, used)

    def _resize(self, slots: int) -> None:
        """Slots come free at once; those taken away are the ones that are free first."""
        free = self.free[0]
        while len(free) < slots:
            heapq.heappush(free, float(self.second))
        while len(free) > max(slots, 1):
            heapq.heappop(free)
        self.size[0] = len(free)

    def _serve(self, pool: int, count: int, mean_s: float) -> None:
        if not count:
            return
        free, ends = self.free[pool], self.ends[pool]
        moments = self.second + np.sort(self.chance.random(count))
        drawn = self.chance.normal(-0.5 * _WORK_SPREAD**2, _WORK_SPREAD, count)
        for at, need in zip(moments.tolist(), (mean_s * np.exp(drawn)).tolist(), strict=True):
            end = max(at, free[0]) + need
            heapq.heapreplace(free, end)
            heapq.heappush(ends, (end, end - at))

    def _finished(self, pool: int) -> list[float]:
        """Latencies of the attempts that end within this second."""
        ends, until, found = self.ends[pool], self.second + 1.0, []
        while ends and ends[0][0] <= until:
            found.append(heapq.heappop(ends)[1])
        return found
