"""Round robin: each eligible endpoint in turn, whatever it is doing."""

from collections.abc import Sequence

from flyball.sim.rivals.router import Ask, EndpointView, Router
from flyball.units import Seconds


class RoundRobin(Router):
    """nginx's default; the turn passes over endpoints that may not take the request."""

    name = "round_robin"

    def begin(self) -> None:
        """The first endpoint is first."""
        self._last = -1

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> EndpointView:
        """The next endpoint after the last one in the order of the fleet."""
        later = [one for one in endpoints if one.index > self._last]
        chosen = (later or endpoints)[0]
        self._last = chosen.index
        return chosen
