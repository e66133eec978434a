"""Dynamo's KV router: the least cost of prefill still to do plus KV blocks held, in blocks.

    cost = prefill_load_scale * max(0, (active + prompt) / block - credit * overlap) + decode blocks

with active = own prompt tokens not yet prefilled there, prompt = this prompt, overlap = its blocks
in that cache, decode blocks = those of own requests in flight and of this one.
"""

import math
from collections.abc import Sequence

from flyball.sim.rivals.affinity import Affinity, engine_tokens
from flyball.sim.rivals.router import Ask, EndpointView, Pick, Router, Wait
from flyball.units import Seconds


class DynamoKv(Router):
    """Queues, first come first served, while every endpoint has more prompt tokens to do than
    `queue_threshold` full steps."""

    name = "dynamo_kv"

    def begin(self) -> None:
        """An empty index of the engines' own size."""
        self.affinity = Affinity(self.setting, engine_tokens(self.setting))

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """The least cost, ties drawn; or a draw by softmax where a temperature is set."""
        limit = self.constants["queue_threshold"]
        if all(
            one.prefill_tokens > limit * one.pool.profile.limits.step_tokens_max
            for one in endpoints
        ):
            return Wait(ask.klass.deadline_s)
        costs = self.costs(ask, endpoints)
        if self.constants["temperature"] > 0.0:
            return self._soft(endpoints, costs)
        return self.draw_best(endpoints, [-cost for cost in costs])

    def costs(self, ask: Ask, endpoints: Sequence[EndpointView]) -> list[float]:
        """The cost of each endpoint, blocks."""
        c = self.constants
        block, matches = c["block_tokens"], self.affinity.match(ask)
        incoming = math.ceil(ask.prompt_tokens / block)
        costs: list[float] = []
        for one in endpoints:
            cached = min(matches.get(one.index, 0) * self.affinity.block_tokens, ask.prompt_tokens)
            prefill = (one.prefill_tokens + ask.prompt_tokens) / block
            adjusted = max(0.0, prefill - c["device_credit"] * cached / block)
            decode = one.held_tokens / block + incoming
            costs.append(c["prefill_load_scale"] * adjusted + decode)
        return costs

    def _soft(self, endpoints: Sequence[EndpointView], costs: list[float]) -> EndpointView:
        """Softmax of -cost, scaled by the spread of the costs and the temperature."""
        spread = max(costs) - min(costs)
        if spread == 0.0:
            return self.draw_one(endpoints)
        scale = spread * self.constants["temperature"]
        weights = [math.exp((min(costs) - cost) / scale) for cost in costs]
        drawn = self.setting.chance.random() * sum(weights)
        for one, weight in zip(endpoints, weights, strict=True):
            drawn -= weight
            if drawn <= 0.0:
                return one
        return endpoints[-1]

    def forwarded(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """The index believes what was sent."""
        self.affinity.sent(ask, endpoint.index)

    def left(self, endpoint: EndpointView) -> None:
        """Its entries go."""
        self.affinity.forget(endpoint.index)
