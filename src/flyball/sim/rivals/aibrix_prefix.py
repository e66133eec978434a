"""AIBrix's prefix-cache routing: the best match among endpoints that are not much busier than most.

Loads are own requests in flight. Where max > 2 (mean + 1) and max - min >= 8, only the least loaded
endpoints are matched. Of the matched, by match and then by load, the first with a load of at most
mean + 1 standard deviation; if there is none, the least loaded of all. Ties are drawn.
"""

import math
from collections.abc import Sequence

from flyball.sim.rivals.affinity import Affinity
from flyball.sim.rivals.router import Ask, EndpointView, Router
from flyball.units import Seconds


class AibrixPrefix(Router):
    """Matches are compared in whole per cent of the prompt's blocks, as its table gives them."""

    name = "aibrix_prefix"

    def begin(self) -> None:
        """An empty table."""
        c, count = self.constants, len(self.setting.fleet.endpoints)
        tokens = int(c["blocks_max"] * c["block_chars"] / c["chars_per_token"] / count)
        self.affinity = Affinity(self.setting, [tokens] * count)

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> EndpointView:
        """See the file's head."""
        c = self.constants
        loads = [one.in_flight for one in endpoints]
        mean = sum(loads) / len(loads)
        deviation = math.sqrt(sum((load - mean) ** 2 for load in loads) / len(loads))
        open_to_match = endpoints
        is_imbalanced = max(loads) > c["imbalance_factor"] * (mean + 1.0)
        if is_imbalanced and max(loads) - min(loads) >= c["imbalance_gap_min"]:
            open_to_match = [one for one in endpoints if one.in_flight == min(loads)]
        matches = self.affinity.match(ask)
        ranked = [
            (-int(100.0 * self.affinity.ratio(ask, matches[one.index])), one.in_flight, one)
            for one in open_to_match
            if one.index in matches and one.in_flight <= mean + c["deviations"] * deviation
        ]
        if not ranked:
            return self.draw_best(endpoints, [-load for load in loads])
        best = min(row[:2] for row in ranked)
        return self.draw_one([row[2] for row in ranked if row[:2] == best])

    def forwarded(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """The table believes what was sent."""
        self.affinity.sent(ask, endpoint.index)

    def left(self, endpoint: EndpointView) -> None:
        """Its entries go."""
        self.affinity.forget(endpoint.index)
