"""Context truncation by thresholds: cut when the cache, or the bill, is above a line."""

from collections.abc import Mapping

from flyball.sim.rivals.constants import constants
from flyball.units import Ratio, Tokens


class ThresholdTruncation:
    """A cost loop that sees two gauges and not what the cut does to the session."""

    name = "threshold_truncation"

    def __init__(self, tuned: Mapping[str, float] | None = None) -> None:
        self.constants = constants(self.name, tuned)

    def kept(self, tokens: Tokens, kv_usage: Ratio, spend_ratio: Ratio) -> Tokens:
        """How many of the prompt's tokens are kept; `spend_ratio` = spent / budget so far."""
        c = self.constants
        if kv_usage <= c["kv_threshold"] and spend_ratio <= c["spend_threshold"]:
            return tokens
        return min(tokens, max(int(tokens * c["keep_ratio"]), int(c["tokens_min"])))
