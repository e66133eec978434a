"""llm-d's endpoint picker as it comes: the highest weighted score of queue, KV and prefix wins.

Scores are in [0, 1]; ties are drawn, as its picker shuffles before a stable sort. Scorers use the
last scrape however old it is; only the saturation detector knows staleness.
"""

from collections.abc import Sequence

from flyball.model.faults import Refusal
from flyball.sim.rivals.affinity import Affinity, engine_tokens
from flyball.sim.rivals.router import Ask, EndpointView, Pick, Router
from flyball.units import Ratio, Seconds


def queue_scores(endpoints: Sequence[EndpointView]) -> list[float]:
    """(max - q) / (max - min) over the candidates; 1 for all where they are equal."""
    waiting = [one.waiting for one in endpoints]
    most, least = max(waiting), min(waiting)
    if most == least:
        return [1.0] * len(waiting)
    return [(most - one) / (most - least) for one in waiting]


class EppDefault(Router):
    """Legacy admission in front: priority below 0 gets a 429 once the pool is saturated."""

    name = "epp_default"

    def begin(self) -> None:
        """An empty index, of the engines' own size where auto-tune is on."""
        c, setting = self.constants, self.setting
        sizes = engine_tokens(setting)
        if not c["prefix_auto_tune"]:
            fixed = int(c["prefix_blocks_per_server"] * c["prefix_block_tokens"])
            sizes = [fixed] * len(sizes)
        self.affinity = Affinity(setting, sizes, int(c["prefix_tokens_max"]))

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """Shed, or the highest score."""
        if ask.priority < 0 and self.saturation(at, endpoints) >= 1.0:
            detail = "the pool is saturated"
            return Refusal(code="queue_full", detail=detail, retry_after_s=1.0)
        return self.draw_best(endpoints, self.scores(ask, endpoints))

    def scores(self, ask: Ask, endpoints: Sequence[EndpointView]) -> list[float]:
        """The weighted sum for each endpoint."""
        c = self.constants
        queue, kv, prefix = c["queue_weight"], c["kv_weight"], c["prefix_weight"]
        matches = self.affinity.match(ask)
        return [
            queue * queue_score
            + kv * (1.0 - one.kv_usage)
            + prefix * self.affinity.ratio(ask, matches.get(one.index, 0))
            for one, queue_score in zip(endpoints, queue_scores(endpoints), strict=True)
        ]

    def saturation(self, at: Seconds, endpoints: Sequence[EndpointView]) -> Ratio:
        """The mean over endpoints of max(queue / 5, kv / 0.8); one without fresh metrics is 1."""
        c, total = self.constants, 0.0
        for one in endpoints:
            if one.sample is None or at - one.sampled_at > c["staleness_s"]:
                total += 1.0
            else:
                total += max(one.waiting / c["queue_threshold"], one.kv_usage / c["kv_threshold"])
        return total / len(endpoints)

    def forwarded(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """The index believes what was sent."""
        self.affinity.sent(ask, endpoint.index)

    def left(self, endpoint: EndpointView) -> None:
        """Its entries go."""
        self.affinity.forget(endpoint.index)
