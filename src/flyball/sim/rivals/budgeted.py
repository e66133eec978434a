"""Retries while they are a small part of the work, as Envoy's retry budget allows them."""

from collections.abc import Mapping

from flyball.sim.rivals.retry import Retry
from flyball.units import Seconds


class Budgeted(Retry):
    """A retry may start while fewer than max(3, 20 % of the requests in flight) retries run.

    Backoff: uniform in [0, (2^n - 1) * 25 ms), at most 250 ms; n counts retries from 1. Status 0
    (no answer), 502, 503, 504 are retried (`gateway-error,connect-failure,reset`).
    """

    name = "budgeted"

    def __init__(self, tuned: Mapping[str, float] | None = None) -> None:
        super().__init__(tuned)
        self.running = 0

    def wait_s(
        self, attempt: int, status: int, retry_after_s: Seconds, draw: float, in_flight: int
    ) -> Seconds | None:
        """See `Retry.wait_s`."""
        c = self.constants
        if attempt > c["retries_max"] or status not in (0, 502, 503, 504):
            return None
        if self.running >= max(c["concurrency_min"], c["budget_ratio"] * in_flight):
            return None
        self.running += 1
        return draw * min((2.0**attempt - 1.0) * c["delay_s"], c["delay_s_max"])

    def ended(self) -> None:
        """Its place is free again."""
        self.running -= 1
