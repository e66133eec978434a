"""Round robin: each eligible endpoint in turn, whatever it is doing.

With nginx's own care for failing ones: one failure takes an endpoint out for ten seconds, and a
request that could not be sent is passed on to the next.
"""

from collections.abc import Sequence

from flyball.governor.events import AttemptFailed
from flyball.sim.rivals.router import NEVER, Ask, EndpointView, Router
from flyball.units import Seconds

FAILURES = frozenset({"connect", "tls", "reset", "early-close", "garbage", "stall", "deadline"})


class RoundRobin(Router):
    """The turn passes over endpoints that may not take the request; if all are out, all are in.

    `proxy_next_upstream error timeout`: errors of an answer's status are no failures here, and a
    POST that was sent is not sent again.
    """

    name = "round_robin"

    def begin(self) -> None:
        """The first endpoint is first, and all are well."""
        count = len(self.setting.fleet.endpoints)
        self.attempts_max = count
        self._last = -1
        self._failures: list[list[Seconds]] = [[] for _ in range(count)]
        self._out_until = [NEVER] * count

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> EndpointView:
        """The next endpoint after the last one in the order of the fleet."""
        usable = [one for one in endpoints if at >= self._out_until[one.index]] or endpoints
        later = [one for one in usable if one.index > self._last]
        chosen = (later or usable)[0]
        self._last = chosen.index
        return chosen

    def failed(self, at: Seconds, ask: Ask, endpoint: EndpointView, cause: str) -> None:
        """Out for `fail_timeout_s` at the `max_fails`-th failure within that time."""
        if cause not in FAILURES:
            return
        within_s, most = self.constants["fail_timeout_s"], int(self.constants["max_fails"])
        recent = [then for then in self._failures[endpoint.index] if then > at - within_s]
        self._failures[endpoint.index] = [*recent, at][-most:]
        if len(recent) + 1 >= most:
            self._out_until[endpoint.index] = at + within_s

    def retry_s(self, at: Seconds, ask: Ask, event: AttemptFailed) -> Seconds | None:
        """At once, elsewhere, if it was not sent; each endpoint once."""
        unsent = event.cause in ("connect", "tls")
        return 0.0 if unsent and ask.attempt < self.attempts_max else None
