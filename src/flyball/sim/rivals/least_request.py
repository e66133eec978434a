"""Least request: of a few endpoints drawn at random, the one with fewest own requests in flight."""

from collections.abc import Sequence

from flyball.sim.rivals.router import Ask, EndpointView, Router
from flyball.units import Seconds


class LeastRequest(Router):
    """Envoy's LEAST_REQUEST with equal weights: `choice_count` draws with replacement.

    As many choices as endpoints, or more, means to look at all of them, ties drawn.
    """

    name = "least_request"

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> EndpointView:
        """The least loaded of the draws; the first drawn wins a tie, as in Envoy."""
        choices = int(self.constants["choice_count"])
        if choices >= len(endpoints):
            return self.draw_best(endpoints, [-one.in_flight for one in endpoints])
        drawn = (self.setting.chance.random(choices) * len(endpoints)).astype(int)
        return min((endpoints[place] for place in drawn), key=lambda one: one.in_flight)
