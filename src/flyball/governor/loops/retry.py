"""How strongly do retries feed on themselves, and may one more be let in?

Retry gain l = retries per attempt. Each attempt brings l more, so work is multiplied by
1 / (1 - l): l < 0.5 keeps that below 2 whatever fails, and is a constraint, not a price (prices
cannot see the cliff). It holds over what is let in: retries of clients, recognised by lineage, and
the gateway's own. A gateway that keeps it alone keeps it for the fleet, as shares do not add up.

What is *offered* may exceed it, where clients do not heed `x-should-retry`: `offered` tells.
"""

from math import exp, log

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
# Half of what clients heed (60 s in OpenAI's and Anthropic's libraries), as times are spread.
RETRY_AFTER_S_MAX: Seconds = 30.0


class RetryGain:
    """Fading counts of attempts and retries; `tick` lets them fade."""

    __slots__ = (
        "_ticked_at",
        "arrivals",
        "arrivals_again",
        "attempts",
        "failures",
        "retries",
    )

    def __init__(self) -> None:
        self.attempts = 0.0
        self.retries = 0.0
        self.failures = 0.0
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

    @property
    def success(self) -> Ratio:
        """Share of the attempts that did not fail, as if ten more had succeeded."""
        return 1.0 - min(1.0, self.failures / (self.attempts + ATTEMPTS_BEFORE))

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
        self.failures *= fade
        self.arrivals *= fade
        self.arrivals_again *= fade


def is_worth(value_usd: float, success: Ratio, price_usd: float) -> bool:
    """Whether an attempt that succeeds with this probability covers its price (USD)."""
    return value_usd * success >= price_usd


def falls_below_s(price_usd: float, value_usd: float, drain_s: Seconds) -> Seconds:
    """When a price that is above a value will have come down to it, at most `RETRY_AFTER_S_MAX`.

    The harm a request does fades with the work that it would delay: by a factor e in each time
    `drain_s` in which an endpoint's work turns over once.
    """
    if value_usd <= 0.0 or price_usd <= value_usd:
        return RETRY_AFTER_S_MAX if value_usd <= 0.0 else 0.0
    return min(RETRY_AFTER_S_MAX, drain_s * log(price_usd / value_usd))


def spread(seconds: Seconds, draw: float) -> Seconds:
    """A time to retry between 1 and 2 times `seconds`: clients refused together must not come
    again together. `draw` is uniform in [0, 1)."""
    return seconds * (1.0 + draw)
