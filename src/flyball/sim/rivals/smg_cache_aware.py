"""SMG's cache-aware policy: the best prefix match while loads are balanced, else the least load.

Imbalanced = max - min > 64 and max > 1.5 * min, in own requests in flight. Balanced: an endpoint
whose match is above 0.3 of the prompt, else the least load. Failing endpoints are left out by a
breaker, and failures are retried with growing pauses.
"""

from collections.abc import Sequence

from flyball.governor.events import AttemptFailed, Served
from flyball.model.faults import Refusal
from flyball.sim.rivals.affinity import Affinity
from flyball.sim.rivals.breaker import Breaker
from flyball.sim.rivals.router import Ask, EndpointView, Pick, Router
from flyball.units import Seconds

RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class SmgCacheAware(Router):
    """The tree names one endpoint for a match; of several equal ones here a drawn one."""

    name = "smg_cache_aware"

    def begin(self) -> None:
        """Empty trees and closed breakers."""
        c = self.constants
        tokens = int(c["tree_chars_max"] / c["chars_per_token"])
        count = len(self.setting.fleet.endpoints)
        self.attempts_max = int(c["attempts_max"])
        self.affinity = Affinity(self.setting, [tokens] * count)
        self.breakers = [
            Breaker(
                failures_max=int(c["breaker_failures"]),
                successes_min=int(c["breaker_successes"]),
                open_s=c["breaker_open_s"],
                window_s=c["breaker_window_s"],
            )
            for _ in range(count)
        ]

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """See the file's head; loads of broken endpoints count for the balance too."""
        c = self.constants
        healthy = [one for one in endpoints if self.breakers[one.index].may_try(at)]
        if not healthy:
            detail = "every circuit is open"
            return Refusal(code="no_endpoint", detail=detail, retry_after_s=1.0)
        loads = [one.in_flight for one in endpoints]
        most, least = max(loads), min(loads)
        if most - least > c["balance_abs_threshold"] and most > c["balance_rel_threshold"] * least:
            return _least_loaded(healthy)
        matches = self.affinity.match(ask)
        best = max((matches.get(one.index, 0) for one in endpoints), default=0)
        if self.affinity.ratio(ask, best) <= c["cache_threshold"]:
            return _least_loaded(healthy)
        chosen = self.draw_one([one for one in endpoints if matches.get(one.index, 0) == best])
        return chosen if chosen in healthy else healthy[0]

    def retry_s(self, at: Seconds, ask: Ask, event: AttemptFailed) -> Seconds | None:
        """50 ms growing by half each time, up to 30 s, give or take a fifth."""
        c = self.constants
        if ask.attempt >= self.attempts_max or (event.status and event.status not in RETRIED):
            return None
        wait_s = min(c["backoff_s"] * c["backoff_factor"] ** (ask.attempt - 1), c["backoff_s_max"])
        return wait_s * (1.0 + c["jitter"] * (2.0 * self.setting.chance.random() - 1.0))

    def forwarded(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """The tree believes what was sent."""
        self.affinity.sent(ask, endpoint.index)

    def served(self, at: Seconds, ask: Ask, endpoint: EndpointView, event: Served) -> None:
        """Its breaker counts it."""
        self.breakers[endpoint.index].succeeded()

    def failed(self, at: Seconds, ask: Ask, endpoint: EndpointView, cause: str) -> None:
        """Its breaker counts it, unless the client went away."""
        if cause != "gone":
            self.breakers[endpoint.index].failed(at)

    def left(self, endpoint: EndpointView) -> None:
        """Its entries go."""
        self.affinity.forget(endpoint.index)


def _least_loaded(endpoints: Sequence[EndpointView]) -> EndpointView:
    """The first of the least, as Rust's `min_by_key` gives it."""
    return min(endpoints, key=lambda one: one.in_flight)
