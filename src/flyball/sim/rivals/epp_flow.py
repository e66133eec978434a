"""llm-d's endpoint picker with flow control: hold requests while the pool is saturated.

A queue of strict priority, first come first served within, behind a gate: a priority passes while
the pool's saturation is below its ceiling. One request passes in each dispatch tick, so between two
scrapes many pass on one reading: the overshoot that users report (llm-d-router#2066).
"""

from collections.abc import Sequence

from flyball.sim.rivals.epp_default import EppDefault
from flyball.sim.rivals.router import Ask, EndpointView, Pick, Wait
from flyball.units import Ratio, Seconds

_EPSILON_S = 1e-9


class EppFlow(EppDefault):
    """The ticks are counted, not run: at each event as many may pass as ticks have gone by since
    the gate was last shut, at most those of one scrape interval. Priorities are those seen so far.
    """

    name = "epp_flow"

    def begin(self) -> None:
        """Nobody was seen, and the gate is open."""
        super().begin()
        self.held_max = int(self.constants["band_requests_max"])
        self._tick_due: Seconds = 0.0
        self._bands: list[int] = []

    def band(self, ask: Ask) -> int:
        """Its priority."""
        if ask.priority not in self._bands:
            self._bands = sorted([*self._bands, ask.priority], reverse=True)
        return ask.priority

    def ceiling(self, priority: int) -> Ratio:
        """Evenly from `ceiling_max` down to `ceiling_min` by rank among the priorities seen."""
        c, count = self.constants, len(self._bands)
        if count < 2:
            return c["ceiling_max"]
        step = (c["ceiling_max"] - c["ceiling_min"]) / (count - 1)
        return c["ceiling_max"] - self._bands.index(priority) * step

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """Wait while the gate is shut or its tick has not come; else the highest score."""
        c = self.constants
        if self.saturation(at, endpoints) >= self.ceiling(ask.priority):
            self._tick_due = at
            return Wait(c["ttl_s"])
        if at < self._tick_due - _EPSILON_S:
            return Wait(c["ttl_s"])
        self._tick_due = max(self._tick_due, at - c["scrape_interval_s"]) + c["dispatch_tick_s"]
        return self.draw_best(endpoints, self.scores(ask, endpoints))
