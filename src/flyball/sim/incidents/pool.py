"""How does one pool behave under retries, health checks, scaling, a second writer or cuts?

A queue before replicas, in steps of five seconds, with whole and drawn counts. Each mechanism is a
few lines and off unless its setting says otherwise; incidents are made of their settings. Unlike
the four-loop plant it has a plain first-come queue: latency = work / rate + queue / capacity.
"""

from collections import deque
from math import exp
from typing import Literal

import numpy as np
from msgspec import Struct

from flyball.diagnosis.signals import Signals
from flyball.units import Ratio, Seconds

STEP_S = 5.0
ROW_STEPS = 2
ARM = 0.04
_MANY = 1_000_000
COLUMNS = (
    "plant.fresh_per_s",
    "plant.attempts_per_s",
    "plant.retries_per_s",
    "plant.failed_per_s",
    "plant.finished_per_s",
    "plant.bad_per_s",
    "plant.spend_per_s",
    "plant.latency_s",
    "plant.capacity_per_s",
    "pool.queue",
    "pool.replicas",
    "pool.ejected",
    "pool.util",
    "loop.autoscaler.setpoint",
    "loop.vertical.setpoint",
    "loop.cost.setpoint",
    "loop.retry.persistence",
    "loop.retry.budget",
    "loop.retry.patience_s",
    *(f"arm.{arm}.{what}" for arm in ("low", "high") for what in ("tried", "failed")),
)


class Settings(Struct, kw_only=True):
    """What the pool is and what its loops do; may be changed while it runs."""

    load: float = 40.0
    rate: float = 1.0  # tasks/s of one replica
    replicas: float = 52.0
    burst: float = 0.02
    patience_s: Seconds = 20.0
    promise_s: Seconds = 10.0
    persistence: float = 0.6  # attempts that follow a failed one; above 1 it multiplies
    retry_budget: float = 0.1  # retries at most per success
    backoff_s: Seconds = 8.0
    fail_base: Ratio = 0.003
    # A health check takes a share of the replicas out while they answer late.
    ejects_per_s: Ratio = 0.0
    eject_at_s: Seconds = 5.0
    back_s: Seconds = 180.0
    kept_in: Ratio = 0.0
    # Autoscaler: reads use, or the processor's use, which falls while work waits for others.
    scale_gain: float = 0.0
    scale_target: float = 0.77
    scale_period_s: Seconds = 30.0
    scale_age_s: Seconds = 0.0
    start_s: Seconds = 90.0
    replicas_max: float = 300.0
    sensor: Literal["use", "processor"] = "use"
    stall_s: Seconds = 0.0
    # A second writer of the same field: takes a share off, or writes a number of its own.
    other_period_s: Seconds = 0.0
    other_share: Ratio = 0.0
    other_value: float = 0.0
    # Size of a replica's request, set to this many times its use; the autoscaler divides by it.
    vertical: float = 0.0
    overhead: float = 0.0  # share of capacity lost per replica
    warm_s: Seconds = 0.0  # until a new replica's cache is filled; it works at a third before
    # Spend per second that a cost loop keeps by cutting context; 0 = no such loop.
    budget: float = 0.0
    cost_gain: float = 0.05


class Pool:
    """`run(seconds)` = rows of ten seconds; `settings` may be changed between runs."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.chance = np.random.default_rng(seed)
        self.second = 0.0
        self.queue, self.waiting = 0, 0
        self.ready = self.ordered = settings.replicas
        self.warm = settings.replicas
        self.ejected = self.burst = 0.0
        self.request = settings.load / settings.replicas / 0.8
        self.kept, self.spent, self.use = 0.85, 0.0, settings.scale_target
        self.seen: deque[float] = deque([settings.scale_target], maxlen=400)
        self.row = np.zeros(len(COLUMNS))
        self.rows: list[np.ndarray] = []

    def run(self, seconds: Seconds) -> None:
        """Goes on for so long; rows are kept in `rows`."""
        for count in range(round(seconds / STEP_S)):
            self.step()
            if count % ROW_STEPS == ROW_STEPS - 1:
                self.rows.append(self.row / ROW_STEPS)
                self.row = np.zeros(len(COLUMNS))

    def table(self) -> Signals:
        """All rows so far, the first ending at ten seconds."""
        step_s = STEP_S * ROW_STEPS
        return Signals(names=COLUMNS, step_s=step_s, values=np.array(self.rows), begin_s=step_s)

    def step(self) -> None:
        """Five seconds: arrivals, service, failures, then each loop whose time has come."""
        s, draw = self.settings, self.chance
        self.burst += -self.burst * STEP_S / 60.0 + s.burst * 0.41 * draw.normal()
        fresh = int(draw.poisson(s.load * exp(self.burst) * STEP_S))
        due = int(draw.binomial(self.waiting, min(STEP_S / s.backoff_s, 1.0)))
        capacity, each = self._capacity()
        held = self.queue + fresh + due
        served = min(held, int(draw.poisson(capacity * STEP_S)))
        self.queue = min(held - served, _MANY)
        latency = each + self.queue / max(capacity, 1e-3)
        failed, arms = self._failed(served, latency)
        again = min(self._again(failed), int(s.retry_budget * (served - failed)) + 1)
        self.waiting = min(self.waiting - due + again, _MANY)
        lost = max(failed - again, 0)
        good = served - failed
        over = 1.0 / (1.0 + exp(min(max(s.promise_s - latency, -30.0), 30.0)))
        self.use = min((fresh + due) / max(capacity * STEP_S, 1e-3), 1.0)
        if self.queue > capacity * STEP_S:
            self.use = 1.0
        spend = (fresh + due) * (0.5 + 0.5 * self.kept)
        self.spent += spend
        flows = [fresh, fresh + due, due, failed, good + lost, lost + good * over, spend]
        self.row += [
            *(flow / STEP_S for flow in flows),
            *(latency, capacity, self.queue, self.ready, self.ejected, self.use),
            *(self.ordered, self.request, self.kept),
            *(s.persistence, s.retry_budget, s.patience_s),
            *(count / STEP_S for count in arms),
        ]
        self.second += STEP_S
        self._act(latency)

    def _capacity(self) -> tuple[float, float]:
        """Tasks/s of what is ready and not ejected, and the seconds of one task."""
        s = self.settings
        work = 0.5 + 0.5 * self.kept if s.budget else 1.0
        each = work / s.rate + s.stall_s
        cold = max(self.ready - self.warm, 0.0)
        size = (self.ready - 0.67 * cold) * (1.0 - self.ejected)
        return max(size / each * max(1.0 - s.overhead * self.ready, 0.05), 1e-3), each

    def _again(self, failed: int) -> int:
        if self.settings.persistence <= 1.0:
            return int(self.chance.binomial(failed, self.settings.persistence))
        return int(self.chance.poisson(failed * self.settings.persistence))

    def _failed(self, served: int, latency: float) -> tuple[int, list[int]]:
        """Failed attempts, and per arm (low, high) tried and failed by what was cut."""
        s, draw = self.settings, self.chance
        late = 1.0 / (1.0 + exp(min(max((s.patience_s - latency) / 1.5, -30.0), 30.0)))
        missed = int(draw.binomial(served, min(late + s.fail_base, 1.0)))
        if not s.budget:
            return missed, [0, 0, 0, 0]
        judged = served - missed
        low = int(draw.binomial(judged, 0.5))
        bad = [
            int(draw.binomial(count, 0.75 / (1.0 + exp((self.kept + arm - 0.35) / 0.07))))
            for count, arm in ((low, -ARM), (judged - low, ARM))
        ]
        return missed + sum(bad), [low, bad[0], judged - low, bad[1]]

    def _act(self, latency: float) -> None:
        s = self.settings
        sick = 1.0 / (1.0 + exp(min(max(s.eject_at_s - latency, -30.0), 30.0)))
        self.ejected += STEP_S * (s.ejects_per_s * sick - self.ejected / s.back_s)
        self.ejected = min(max(self.ejected, 0.0), 0.95 * (1.0 - s.kept_in))
        step = self.ordered - self.ready
        self.ready += step * min(STEP_S / s.start_s, 1.0) if step > 0 else step
        away = self.ready - self.warm
        self.warm += away * min(STEP_S / s.warm_s, 1.0) if s.warm_s and away > 0 else away
        self.seen.append(self.use / (1.0 + s.stall_s * s.rate) if s.sensor != "use" else self.use)
        if s.budget and self._is_due(30.0):
            over = self.spent / 30.0 / s.budget - 1.0
            self.kept = min(max(self.kept - s.cost_gain * over, 0.05), 1.0)
            self.spent = 0.0
        per_replica = self.use * s.rate
        if s.vertical and self._is_due(120.0):
            self.request += 0.3 * (s.vertical * per_replica - self.request)
        if s.scale_gain and self._is_due(s.scale_period_s):
            back = min(int(s.scale_age_s / STEP_S) + 1, len(self.seen))
            read = self.seen[-back] if not s.vertical else per_replica / max(self.request, 1e-3)
            wish = self.ordered * (max(read, 0.01) / s.scale_target) ** s.scale_gain
            self.ordered = min(max(wish, 1.0), s.replicas_max)
        if s.other_period_s and self._is_due(s.other_period_s):
            if s.other_value:
                self.ordered = s.other_value
            elif self.chance.random() < 0.5:
                self.ordered *= 1.0 - s.other_share

    def _is_due(self, period_s: Seconds) -> bool:
        return self.second % period_s < STEP_S
