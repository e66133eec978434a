"""llm-d's endpoint picker by predicted latency: the tightest endpoint that still meets the promise.

Predicts the first token and the time per token from KV use, prompt length, queue, running, prefix
match and tokens in flight. Of the endpoints with room in both, the one with least room is likeliest
(bin packing); if there is none, the one nearest to its promise. Until enough was seen: the scores
of KV, queue and prefix, 1:1:1.
"""

from collections.abc import Sequence

import numpy as np

from flyball.governor.events import Served
from flyball.model.faults import Refusal
from flyball.sim.rivals.epp_default import EppDefault, queue_scores
from flyball.sim.rivals.regression import Regression
from flyball.sim.rivals.router import Ask, EndpointView, Pick
from flyball.units import Seconds

INPUTS = 6
_WEIGHT_MIN = 0.01
_SPREAD_MIN = 1e-3


class EppPredicted(EppDefault):
    """The published model is XGBoost, trained apart; see the note in the catalogue."""

    name = "epp_predicted"

    def begin(self) -> None:
        """Nothing learnt."""
        super().begin()
        c = self.constants
        self.ttft = Regression(INPUTS, c["ridge"], c["memory"])
        self.tpot = Regression(INPUTS, c["ridge"], c["memory"])
        self._asked: dict[str, np.ndarray] = {}

    def features(self, ask: Ask, endpoints: Sequence[EndpointView]) -> np.ndarray:
        """Inputs of the prediction, shape [endpoints, 6]."""
        matches = self.affinity.match(ask)
        return np.array(
            [
                (
                    one.kv_usage,
                    ask.prompt_tokens,
                    one.waiting,
                    one.running,
                    self.affinity.ratio(ask, matches.get(one.index, 0)),
                    one.held_tokens,
                )
                for one in endpoints
            ]
        )

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """Fall back, shed, or draw by headroom."""
        features = self.features(ask, endpoints)
        if min(self.ttft.seen, self.tpot.seen) < self.constants["samples_min"]:
            chosen = self.draw_best(endpoints, self._plain_scores(features, endpoints))
        else:
            picked = self._by_headroom(ask, endpoints, features)
            if isinstance(picked, Refusal):
                return picked
            chosen = picked
        self._asked[ask.request_id] = features[endpoints.index(chosen)]
        return chosen

    def _plain_scores(self, features: np.ndarray, endpoints: Sequence[EndpointView]) -> list[float]:
        return list(queue_scores(endpoints) + (1.0 - features[:, 0]) + features[:, 4])

    def _by_headroom(
        self, ask: Ask, endpoints: Sequence[EndpointView], features: np.ndarray
    ) -> EndpointView | Refusal:
        c, promise = self.constants, ask.klass.promise
        ttft_s, tpot_s = self.ttft.predict(features), self.tpot.predict(features)
        ttft_room = (ask.head.ttft_s_max or promise.ttft_s) * c["slo_buffer"] - ttft_s
        tpot_room = (ask.head.tpot_s_max or promise.tpot_s) * c["slo_buffer"] - tpot_s
        valid = (ttft_room >= 0.0) & (tpot_room >= 0.0)
        if ask.priority < 0 and not valid.any() and not self._is_any_free(endpoints):
            detail = "no endpoint is predicted to keep the promise"
            return Refusal(code="deadline_unreachable", detail=detail, retry_after_s=1.0)
        tier = self._tier(valid)
        tier = self._keep_affine(tier, features[:, 4], ttft_s)
        weights = self._weights(ttft_room[tier], tpot_room[tier])
        drawn = self.setting.chance.random() * weights.sum()
        place = min(int(np.searchsorted(weights.cumsum(), drawn)), len(tier) - 1)
        return endpoints[int(tier[place])]

    def _is_any_free(self, endpoints: Sequence[EndpointView]) -> bool:
        cold = self.constants["cold_kv_max"]
        return any(
            not (one.in_flight or one.running or one.waiting) or one.kv_usage < cold
            for one in endpoints
        )

    def _tier(self, valid: np.ndarray) -> np.ndarray:
        """The numbers of those that keep the promise, seldom (epsilon) of those that do not."""
        keep = bool(valid.any())
        if keep and not valid.all():
            keep = self.setting.chance.random() >= self.constants["tier_epsilon"]
        return np.flatnonzero(valid if keep else ~valid)

    def _keep_affine(self, tier: np.ndarray, matched: np.ndarray, ttft_s: np.ndarray) -> np.ndarray:
        """Only those that hold most of the prompt, unless waiting there costs too much."""
        c = self.constants
        affine = tier[matched[tier] >= c["affinity_threshold"]]
        if not len(affine):
            return tier
        penalty_s = ttft_s[affine].min() - ttft_s[tier].min()
        return affine if penalty_s <= c["ttft_penalty_s_max"] else tier

    def _weights(self, ttft_room: np.ndarray, tpot_room: np.ndarray) -> np.ndarray:
        """Chances of the tier's endpoints: the nearer to the promise, on either side, the more."""
        c = self.constants
        room = c["ttft_weight"] * _share(np.abs(ttft_room)) + c["tpot_weight"] * _share(
            np.abs(tpot_room)
        )
        return 1.0 - room + _WEIGHT_MIN

    def first_byte(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """A stream's first token teaches."""
        features = self._asked.get(ask.request_id)
        if features is not None and ask.head.stream:
            self.ttft.learn(features, at - ask.forwarded_at)

    def served(self, at: Seconds, ask: Ask, endpoint: EndpointView, event: Served) -> None:
        """Its other tokens teach too."""
        features = self._asked.pop(ask.request_id, None)
        if features is not None and ask.head.stream and event.output_tokens > 1:
            self.tpot.learn(features, (at - ask.first_byte_at) / (event.output_tokens - 1))

    def failed(self, at: Seconds, ask: Ask, endpoint: EndpointView, cause: str) -> None:
        """Nothing is learnt of it."""
        self._asked.pop(ask.request_id, None)


def _share(values: np.ndarray) -> np.ndarray:
    """Scaled to [0, 1] over the tier; 0 where all are equal up to the fit's own error."""
    spread = values.max() - values.min()
    if spread <= _SPREAD_MIN * values.max():
        return np.zeros(len(values))
    return (values - values.min()) / spread
