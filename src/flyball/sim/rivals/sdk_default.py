"""Retries as OpenAI's Python client does them, and the clients made after it."""

from flyball.sim.rivals.retry import Retry
from flyball.units import Seconds

RETRIED = frozenset({0, 408, 409, 429})


class SdkDefault(Retry):
    """Two retries of 408, 409, 429, 5xx and broken connections: 0.5 s doubling to 8 s, less up to
    a quarter; a Retry-After of up to two minutes is obeyed, a longer one ends it.

    The client that this stands in is told by status alone, so `x-should-retry` is left out.
    """

    name = "sdk_default"

    def wait_s(
        self, attempt: int, status: int, retry_after_s: Seconds, draw: float, in_flight: int
    ) -> Seconds | None:
        """See `Retry.wait_s`."""
        c = self.constants
        if attempt > c["retries_max"] or retry_after_s > c["retry_after_s_max"]:
            return None
        if status not in RETRIED and status < 500:
            return None
        if retry_after_s > 0.0:
            return retry_after_s
        delay_s = min(c["delay_s"] * 2.0 ** (attempt - 1), c["delay_s_max"])
        return delay_s * (1.0 - c["jitter"] * draw)
