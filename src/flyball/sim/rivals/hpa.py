"""Kubernetes' Horizontal Pod Autoscaler: from a metric's ratio to its target to a replica count.

desired = ceil(current * metric / target), left alone within a tolerance; then the stabilisation
windows (the least wish of the up window, the greatest of the down window) and the limits of change
per period, as `pkg/controller/podautoscaler/horizontal.go` applies them.
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping

from msgspec import Struct

from flyball.model.fleet import Fleet
from flyball.sim.loops import PoolReading
from flyball.sim.rivals.constants import constants
from flyball.units import Ratio, Seconds

_ROUNDING = 1e-9


class Behavior(Struct, frozen=True, kw_only=True):
    """How fast an HPA may move; `up_pods` and `up_percent` allow, the greater counts."""

    up_stabilise_s: Seconds
    up_percent: float
    up_pods: float
    up_period_s: Seconds
    down_stabilise_s: Seconds
    down_percent: float
    down_period_s: Seconds


def behavior(values: Mapping[str, float]) -> Behavior:
    """Out of a rival's constants."""
    return Behavior(**{name: values[name] for name in Behavior.__struct_fields__})


class Pace:
    """What an HPA remembers of one pool: its wishes, and the changes that it made."""

    def __init__(self, rules: Behavior) -> None:
        self._rules = rules
        self._wishes: deque[tuple[Seconds, int]] = deque()
        self._changes: deque[tuple[Seconds, int]] = deque()

    def limit(self, at: Seconds, current: int, wish: int) -> int:
        """What may be done now of the wish."""
        rules = self._rules
        if not self._wishes:
            self._wishes.append((at, current))  # as it records an initial recommendation
        keep_s = max(rules.up_stabilise_s, rules.down_stabilise_s)
        while self._wishes and self._wishes[0][0] <= at - keep_s:
            self._wishes.popleft()
        up = min((n for then, n in self._wishes if then > at - rules.up_stabilise_s), default=wish)
        down = max(
            (n for then, n in self._wishes if then > at - rules.down_stabilise_s), default=wish
        )
        up, down = min(up, wish), max(down, wish)
        self._wishes.append((at, wish))
        stable = min(max(current, up), down)
        allowed = self._rate(at, current, stable)
        if allowed != current:
            self._changes.append((at, allowed - current))
        return allowed

    def _rate(self, at: Seconds, current: int, wish: int) -> int:
        rules = self._rules
        keep_s = max(rules.up_period_s, rules.down_period_s)
        while self._changes and self._changes[0][0] <= at - keep_s:
            self._changes.popleft()
        if wish > current:
            before = current - self._moved(at - rules.up_period_s)
            by_percent = math.ceil(before * (1.0 + rules.up_percent / 100.0))
            most = max(by_percent, before + int(rules.up_pods))
            return min(wish, max(current, most))
        if wish < current:
            before = current - self._moved(at - rules.down_period_s)
            least = int(before * (1.0 - rules.down_percent / 100.0))
            return max(wish, min(current, least))
        return current

    def _moved(self, since: Seconds) -> int:
        return sum(change for then, change in self._changes if then > since)


def wished(current: int, ratio: Ratio, tolerance: Ratio) -> int:
    """ceil(current * ratio), or current while the ratio is within the tolerance of 1."""
    if abs(ratio - 1.0) <= tolerance + _ROUNDING:
        return current
    return math.ceil(current * ratio - _ROUNDING)


class Hpa:
    """On the busy share of the ready replicas against 0.8 (the default target, made for CPU).

    Replicas that start count as idle when the wish is to grow, so that growth is not overdone.
    """

    name = "hpa"

    def __init__(self, fleet: Fleet, tuned: Mapping[str, float] | None = None) -> None:
        self.constants = constants(self.name, tuned)
        self.period_s = self.constants["period_s"]
        rules = behavior(self.constants)
        self._paces: dict[str, Pace] = defaultdict(lambda: Pace(rules))

    def desired(self, reading: PoolReading) -> int:
        """Replicas wanted, ready and starting together."""
        current = reading.ready + reading.starting
        wish = max(self.wish(reading), int(self.constants["replicas_min"]))
        return self._paces[reading.pool].limit(reading.at, current, wish)

    def wish(self, reading: PoolReading) -> int:
        """Before windows and limits."""
        return self.replicas(reading, reading.busy_ratio / self.constants["utilisation_target"])

    def replicas(self, reading: PoolReading, ratio: Ratio) -> int:
        """For a per-replica metric that is `ratio` times its target over the ready replicas."""
        tolerance = self.constants["tolerance"]
        ready, current = reading.ready, reading.ready + reading.starting
        if ready == 0 or abs(ratio - 1.0) <= tolerance + _ROUNDING:
            return current
        if ratio < 1.0 or not reading.starting:
            return wished(ready, ratio, tolerance)
        spread = ratio * ready / current
        if spread < 1.0 or abs(spread - 1.0) <= tolerance + _ROUNDING:
            return current
        return wished(current, spread, tolerance)
