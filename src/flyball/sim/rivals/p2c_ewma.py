"""Two random choices by smoothed latency and health, as agentgateway does it."""

from collections.abc import Sequence

from flyball.governor.events import Served
from flyball.sim.rivals.router import Ask, EndpointView, Router
from flyball.units import Seconds


class P2cEwma(Router):
    """score = health / (1 + latency_s * (1 + pending_weight * pending)), of two draws with
    replacement; both averages move by `alpha`, and a failure leaves the latency alone."""

    name = "p2c_ewma"

    def begin(self) -> None:
        """Every endpoint is healthy and its latency not yet known (0)."""
        count = len(self.setting.fleet.endpoints)
        self._latency_s = [0.0] * count
        self._health = [1.0] * count

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> EndpointView:
        """The better of two draws; the first wins a tie."""
        first, second = (self.setting.chance.random(2) * len(endpoints)).astype(int)
        one, other = endpoints[first], endpoints[second]
        return one if self.score(one) >= self.score(other) else other

    def score(self, endpoint: EndpointView) -> float:
        """Higher is better."""
        index = endpoint.index
        pending = 1.0 + self.constants["pending_weight"] * endpoint.in_flight
        return self._health[index] / (1.0 + self._latency_s[index] * pending)

    def first_byte(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """A stream has begun: that is its latency."""
        if ask.head.stream:
            self._learn(endpoint.index, at - ask.forwarded_at)

    def served(self, at: Seconds, ask: Ask, endpoint: EndpointView, event: Served) -> None:
        """An answer without a stream: the whole of it is its latency."""
        if not ask.head.stream:
            self._learn(endpoint.index, at - ask.forwarded_at)

    def failed(self, at: Seconds, ask: Ask, endpoint: EndpointView, cause: str) -> None:
        """Health falls; who goes away by itself says nothing of the endpoint."""
        if cause != "gone":
            self._health[endpoint.index] *= 1.0 - self.constants["alpha"]

    def _learn(self, index: int, latency_s: Seconds) -> None:
        alpha = self.constants["alpha"]
        before = self._latency_s[index]
        self._latency_s[index] = alpha * latency_s + (1.0 - alpha) * before if before else latency_s
        self._health[index] += alpha * (1.0 - self._health[index])
