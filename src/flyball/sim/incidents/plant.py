"""How does a fleet under four coupled loops behave, second by second, with chance?

Cost loop (context kept), router (share to the fast pool), autoscaler (replicas of the fast pool)
and power cap on two pools, with clients that try again without end. Counts are whole and drawn:
arrivals Poisson times a slow burst (exp of an Ornstein-Uhlenbeck), service and failures binomial.
Copies run side by side, `[copies]` each, one random stream for all; same seed, same run.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from flyball.sim.incidents.plant_laws import Laws, busy, latency, quality_fails, scales

Array = np.ndarray[Any, Any]

SLOTS = 16
# Half of the attempts keep this much more context, half this much less, by lot.
ARM = 0.04
DITHER = {"cost": 0.02, "router": 0.02, "autoscaler": 0.6}
DITHER_S = 30
START_S = 90
_LOOPS = ("cost", "router", "autoscaler", "power")
_PERIOD_S = {"cost": 30, "router": 5, "autoscaler": 30, "power": 10}

COLUMNS = (
    "plant.fresh_per_s",
    "plant.attempts_per_s",
    "plant.retries_per_s",
    "plant.quality_failed_per_s",
    "plant.late_per_s",
    "plant.finished_per_s",
    "plant.bad_per_s",
    "plant.spend_per_s",
    "plant.latency_s",
    *(f"{pool}.{what}" for pool in ("fast", "slow") for what in ("queue", "served_per_s")),
    "fast.latency_s",
    "slow.latency_s",
    "fast.replicas",
    "fast.util",
    *(f"arm.{arm}.{what}" for arm in ("low", "high") for what in ("tried", "failed")),
    *(f"loop.{loop}.{what}" for loop in _LOOPS for what in ("setpoint", "saturated", "gain")),
    "loop.cost.target",
    *(f"probe.{loop}.offset" for loop in DITHER),
)


class Settings(Struct, kw_only=True):
    """What operators set and may change while the plant runs; numbers or [copies]."""

    load: Any = 40.0
    budget: Any = 38.0
    cost_gain: Any = 0.05
    router_gain: Any = 0.01
    autoscaler_gain: Any = 0.35
    use_target: Any = 0.72
    power_cap: Any = 46.0
    replicas_max: Any = 400.0
    tokens: Any = 1.0  # work of an attempt, as a multiple
    fail_more: Any = 0.0  # added to the base of failures


class Plant:
    """`step()` = one second; `settings` may be changed between steps. `probing` = the arms by lot
    and the dither of the set-points are on."""

    def __init__(
        self, laws: Laws, copies: int, seed: int, probing: bool = True, step_s: int = 10
    ) -> None:
        self.laws, self.copies, self.settings = laws, copies, Settings()
        self.probing, self.step_s, self.second = probing, step_s, 0
        self.chance = np.random.default_rng(seed)
        one = np.ones(copies)
        self.c = scales(laws)
        self.queues = np.stack([154 * one, 51 * one]).astype(int)
        self.due = np.zeros((SLOTS, copies), dtype=int)
        self.due[: laws.backoff_s[1]] = 1
        self.share, self.kept, self.speed = 0.7514 * one, 0.8535 * one, one.copy()
        self.ordered = np.repeat(39.65 * one[None], START_S // 30 + 1, axis=0)
        self.filtered, self.seen = 0 * one, np.zeros((max(laws.age_s, 1), copies))
        self.burst, self.slow_latency, self.moved = 0 * one, 5 * one, 0 * one
        self.spent, self.used = 0 * one, 0 * one
        self.offsets: dict[str, Array] = dict.fromkeys(DITHER, 0 * one)
        self.row = np.zeros((len(COLUMNS), copies))
        low, high = laws.backoff_s
        self.returns = np.full(high - low + 1, 1.0 / (high - low + 1))

    def run(self, seconds: int) -> Array:
        """Rows of `step_s` means over the next seconds, [T, columns, copies]."""
        rows = []
        for _ in range(seconds):
            self.step()
            if self.second % self.step_s == 0:
                rows.append(self.row / self.step_s)
                self.row = np.zeros_like(self.row)
        return np.array(rows).reshape(-1, len(COLUMNS), self.copies)

    def step(self) -> None:
        """One second: arrivals, service, failures, and each loop whose time has come."""
        kept = np.clip(self.kept + self.offsets["cost"], 0.02, 1.0)
        each = (0.5 + 0.5 * kept) * self.settings.tokens * (1.0 + self.laws.chill * self.moved)
        ready = np.maximum(self.ordered.min(axis=0) + self.offsets["autoscaler"], 1.0)
        rate = np.stack([ready * self.speed, np.full(self.copies, self.laws.slow_rate)]) / each
        waits = latency(self.laws.queue, self.queues, self.c, rate)
        used = busy(self.laws.queue, self.queues[0], self.c[0])
        fresh, arrived = self._arrivals()
        served = self.chance.binomial(self.queues, np.minimum(1.0 / waits, 1.0))
        self.queues = self.queues + arrived - served
        worth = self._failures(served, waits, kept)
        self.spent += arrived.sum(axis=0) * each
        self.used += used
        self.seen = np.concatenate([self.filtered[None], self.seen[:-1]])
        difference = waits[1] - waits[0]
        self.filtered = self.filtered + (difference - self.filtered) * -np.expm1(-1.0 / 5.0)
        self.slow_latency += (waits.mean(axis=0) - self.slow_latency) / 60.0
        mean = (served * waits).sum(axis=0) / np.maximum(served.sum(axis=0), 1)
        self._write(
            [fresh, arrived.sum(axis=0), arrived.sum(axis=0) - fresh, *worth[:2], *worth[2:4]],
            [arrived.sum(axis=0) * each, mean, self.queues[0], served[0], self.queues[1]],
            [served[1], waits[0], waits[1], ready, used, *worth[4:]],
        )
        self.second += 1
        self._act(ready, used)

    def _arrivals(self) -> tuple[Array, Array]:
        """Fresh tasks [copies], and all attempts to each pool [2, copies]."""
        laws = self.laws
        pull = np.sqrt(2.0 / laws.burst_s) * laws.burst
        self.burst += -self.burst / laws.burst_s + pull * self.chance.normal(size=self.copies)
        stay = 1.0 - laws.leaving / (1.0 + np.exp((9.0 - self.slow_latency) / 1.5))
        fresh = self.chance.poisson(self.settings.load * stay * np.exp(self.burst))
        every = fresh + self.due[0]
        self.due = np.concatenate([self.due[1:], np.zeros((1, self.copies), dtype=int)])
        share = np.clip(self.share + self.offsets["router"], 0.0, 1.0)
        to_fast = self.chance.binomial(every, share)
        return fresh, np.stack([to_fast, every - to_fast])

    def _failures(self, served: Array, waits: Array, kept: Array) -> list[Array]:
        """Quality failures, late, finished, bad, and per arm (low, high) tried and failed."""
        laws, chance = self.laws, self.chance
        late_chance = 1.0 / (1.0 + np.exp((laws.patience_s - waits) / laws.patience_width_s))
        late = chance.binomial(served, late_chance).sum(axis=0)
        judged = served.sum(axis=0) - late
        arm = ARM if self.probing else 0.0
        low = chance.binomial(judged, 0.5)
        base = self.settings.fail_more
        low_bad = chance.binomial(low, np.minimum(quality_fails(laws, kept - arm) + base, 1.0))
        high = judged - low
        high_bad = chance.binomial(high, np.minimum(quality_fails(laws, kept + arm) + base, 1.0))
        failed = low_bad + high_bad + late
        again = chance.binomial(failed, laws.persistence)
        first = laws.backoff_s[0] - 1
        spread = chance.multinomial(again, self.returns).T
        self.due[first : first + len(spread)] += spread
        over = 1.0 / (1.0 + np.exp((laws.promise_s - waits) / 1.0))
        slow = (served * over).sum(axis=0) / np.maximum(served.sum(axis=0), 1)
        good = judged - low_bad - high_bad
        finished = failed - again + good
        return [
            *(low_bad + high_bad, late, finished, failed - again + good * slow),
            *(low, low_bad, high, high_bad),
        ]

    def _write(self, *groups: list[Array]) -> None:
        values = [value for group in groups for value in group]
        saturated, set_points = self._limits()
        settings = self.settings
        gains = (settings.cost_gain, settings.router_gain, settings.autoscaler_gain, 0.1)
        for name, gain in zip(_LOOPS, gains, strict=True):
            values += [set_points[name], saturated[name], gain]
        values += [settings.budget, *self.offsets.values()]
        for index, value in enumerate(values):
            self.row[index] += value

    def _limits(self) -> tuple[dict[str, Array], dict[str, Array]]:
        points = {
            "cost": self.kept,
            "router": self.share,
            "autoscaler": self.ordered[0],
            "power": self.speed,
        }
        ends = {
            "cost": (0.05, 1.0),
            "router": (0.02, 0.98),
            "autoscaler": (1.0, self.settings.replicas_max),
            "power": (0.5, 1.0),
        }
        full = {
            name: (point <= ends[name][0]) | (point >= ends[name][1])
            for name, point in points.items()
        }
        return full, points

    def _act(self, ready: Array, used: Array) -> None:
        """Each loop whose period ends moves its set-point, and takes a new sign of its dither."""
        settings = self.settings
        due = [name for name in _LOOPS if self.second % _PERIOD_S[name] == 0]
        if "router" in due:
            move = settings.router_gain * self.seen[-1] / 5.0
            before = self.share
            self.share = np.clip(self.share + move, 0.02, 0.98)
            self.moved += (np.abs(self.share - before) * 12.0 - self.moved) / 12.0
        if "power" in due:
            drawn = ready * self.speed * (0.4 + 0.6 * used)
            self.speed = np.clip(self.speed + 0.1 * (1 - drawn / settings.power_cap), 0.5, 1.0)
        if "cost" in due:
            over = self.spent / 30.0 / settings.budget - 1.0
            self.kept = np.clip(self.kept - settings.cost_gain * over, 0.05, 1.0)
            self.spent = np.zeros(self.copies)
        if "autoscaler" in due:
            ratio = np.maximum(self.used / 30.0 / settings.use_target, 1e-3)
            wish = self.ordered[0] * ratio**settings.autoscaler_gain
            wish = np.clip(wish, 1.0, settings.replicas_max)
            self.ordered = np.concatenate([wish[None], self.ordered[:-1]])
            self.used = np.zeros(self.copies)
        if self.probing and self.second % DITHER_S == 0:
            for name, size in DITHER.items():
                sign = self.chance.integers(0, 2, self.copies) * 2 - 1
                self.offsets[name] = size * sign
