"""What does a loop of the control period get to see beside the state, and what is kept for it?

One `LoopContext` per entry of `Policy.loops`: the loop as the operator bounded it, where it acts,
when it is next due, and its forecasts.
"""

from math import exp

from msgspec.structs import replace

from flyball.governor.loops.forecast import Forecast
from flyball.model.fleet import Fleet
from flyball.model.loop import Loop, LoopPolicy
from flyball.units import Seconds

SCOPES_MAX = 4096
# Three times the memory of the rates: 95 % of a level is known by then.
KNOWN_S: Seconds = 90.0


class LoopContext:
    """A loop under an operator's limits. `due_at` = when it looks next."""

    def __init__(self, declared: Loop, policy: LoopPolicy, horizon_s: Seconds) -> None:
        self.loop = bounded(declared, policy)
        self.policy = policy
        self.horizon_s = policy.horizon_s or horizon_s
        self.due_at: Seconds = float("-inf")
        self.looked_at: Seconds = float("-inf")
        self.contradiction = ""
        self.contradicted_until: Seconds = float("-inf")
        self._means: dict[str, float] = {}
        self._forecasts: dict[str, Forecast] = {}

    def allows(self, scope: str) -> bool:
        """Whether the operator lets it act there."""
        return not self.policy.scopes or scope in self.policy.scopes

    def pools(self, fleet: Fleet) -> list[int]:
        """Numbers of the pools where it acts."""
        return [n for n, pool in enumerate(fleet.pools) if self.allows(pool.name)]

    def read(self, scope: str, value: float, memory_s: Seconds) -> Forecast:
        """The forecast there, after this reading of a mean that forgets with `memory_s`.

        A mean lags. What came within the last period alone is the mean with its memory taken out:
        x = y_before + (y - y_before) / (1 - exp(-period / memory)). After a start the mean
        grows from nothing, which reads as a rise: so the forecast begins unsure, and cautious.
        """
        before = self._means.get(scope)
        if before is None and len(self._means) >= SCOPES_MAX:
            self._means.clear()
        self._means[scope] = value
        share = 1.0 - exp(-self.loop.period_s / memory_s)
        found = self.forecast(scope)
        found.read(value if before is None else max(0.0, before + (value - before) / share))
        return found

    def knows(self, scope: str) -> bool:
        """Whether it has read there for long enough to take capacity away: after a start, rates
        grow from nothing, and quiet is not yet a fact."""
        return self.forecast(scope).readings * self.loop.period_s >= KNOWN_S

    def contradict(self, why: str, until: Seconds) -> None:
        """The plant answered its moves unlike its model: it stands still until then."""
        self.contradiction, self.contradicted_until = why, until

    def forecast(self, scope: str) -> Forecast:
        """What it expects there (begun with its first reading)."""
        found = self._forecasts.get(scope)
        if found is None:
            if len(self._forecasts) >= SCOPES_MAX:
                self._forecasts.clear()
            found = self._forecasts[scope] = Forecast(self.loop.period_s)
        return found


def bounded(declared: Loop, policy: LoopPolicy) -> Loop:
    """The loop as it declares itself, with what the operator set in its place."""
    changes = {
        "limit_low": policy.limit_low,
        "limit_high": policy.limit_high,
        "period_s": policy.period_s,
        "rate_per_s": policy.rate_per_s,
        "dead_band": policy.dead_band,
        "delay_s": policy.start_s,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(declared, mode=policy.mode, **given)
