"""What do the tokens cost at list prices, and which share of its budget does a cost loop see?

A budget for tokens is what a cost loop in a gateway watches: it sees the bill, not the machines.
Prices and period stand beside the rule that reads them, `threshold_truncation` in
`data/rivals.json`.
"""

from collections.abc import Sequence

from flyball.sim.exchange import Call
from flyball.sim.loops import Core
from flyball.sim.rivals import RivalCore
from flyball.sim.rivals.constants import constants
from flyball.units import SECONDS_PER_HOUR, Ratio, Seconds, Usd


class Spend:
    """The bill so far, `usd`. `look` is due each `period_s` and tells every rival core which
    share of the period's budget was spent in it; a budget of 0 = nobody watches. The budget is
    `budget_factor` of what it should be, where somebody has set it wrong."""

    def __init__(
        self, cores: Sequence[Core], budget_usd_per_hour: Usd, tuned: dict[str, float] | None
    ) -> None:
        prices = constants("threshold_truncation", tuned)
        self.usd: Usd = 0.0
        self.budget_factor: Ratio = 1.0
        self.period_s: Seconds = prices["spend_period_s"]
        self._cores = [core for core in cores if isinstance(core, RivalCore)]
        self._budget_usd = budget_usd_per_hour * self.period_s / SECONDS_PER_HOUR
        self._seen_usd: Usd = 0.0
        self._input = prices["input_usd_per_mtok"] / 1e6
        self._cached = prices["cached_usd_per_mtok"] / 1e6
        self._output = prices["output_usd_per_mtok"] / 1e6

    def ended(self, call: Call) -> None:
        """A call is over; only an answer is billed, and of its prompt what was kept of it."""
        if call.end == "served":
            prompt = call.row.input_tokens * call.kept_ratio - call.cached_tokens
            self.usd += prompt * self._input + call.cached_tokens * self._cached
            self.usd += call.output_tokens * self._output

    def look(self) -> None:
        """The end of a period."""
        spent, self._seen_usd = self.usd - self._seen_usd, self.usd
        if self._budget_usd:
            for core in self._cores:
                core.spend_ratio = spent / (self._budget_usd * self.budget_factor)
