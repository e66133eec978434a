"""How strongly do retries feed on themselves, and may one more be let in?

Retry gain l = retries per attempt. Each attempt brings l more, so work is multiplied by
1 / (1 - l): l < 0.5 keeps that below 2 whatever fails, and is a constraint, not a price (prices
cannot see the cliff). It holds over what is let in: retries of clients, recognised by lineage, and
the gateway's own. A gateway that keeps it alone keeps it for the fleet, as shares do not add up.

What is *offered* may exceed it, where clients do not heed `x-should-retry`: `offered` tells.
"""

from math import exp

from flyball.model.loop import Loop
from flyball.units import Ratio, Seconds

RETRY = Loop(
    name="retry",
    sensor="retries per attempt",
    actuator="retry.admission",
    objective="less than one attempt in two is a retry",
    period_s=1.0,
    limit_high=0.5,
)
# Retries are refused from here on, so that the constraint itself is never reached.
GAIN_CLOSE: Ratio = 0.45
MEMORY_S: Seconds = 30.0
# A cold start may retry a little: as if so many fresh attempts had been seen.
ATTEMPTS_BEFORE = 10.0
RETRY_AFTER_S: Seconds = 5.0


class RetryGain:
    """Fading counts of attempts and retries; `tick` lets them fade."""

    __slots__ = ("_ticked_at", "arrivals", "arrivals_again", "attempts", "retries")

    def __init__(self) -> None:
        self.attempts = 0.0
        self.retries = 0.0
        self.arrivals = 0.0
        self.arrivals_again = 0.0
        self._ticked_at: Seconds = 0.0

    @property
    def admitted(self) -> Ratio:
        """l of the work let in, < 0.5."""
        return self.retries / self.attempts if self.attempts else 0.0

    @property
    def offered(self) -> Ratio:
        """l of what arrives: retries of clients per request of theirs."""
        return self.arrivals_again / self.arrivals if self.arrivals else 0.0

    def may_retry(self) -> bool:
        """Whether one more retry keeps l below `GAIN_CLOSE`."""
        return self.retries + 1.0 <= GAIN_CLOSE * (self.attempts + 1.0 + ATTEMPTS_BEFORE)

    def tick(self, at: Seconds) -> None:
        """Let all counts fade to `at`."""
        elapsed = at - self._ticked_at
        self._ticked_at = at
        if elapsed <= 0.0:
            return
        fade = exp(-elapsed / MEMORY_S)
        self.attempts *= fade
        self.retries *= fade
        self.arrivals *= fade
        self.arrivals_again *= fade


def is_worth(value_usd: float, success: Ratio, price_usd: float) -> bool:
    """Whether an attempt that succeeds with this probability covers its price (USD)."""
    return value_usd * success >= price_usd


def spread(seconds: Seconds, draw: float) -> Seconds:
    """A time to retry between 1 and 2 times `seconds`: clients refused together must not come
    again together. `draw` is uniform in [0, 1)."""
    return seconds * (1.0 + draw)
