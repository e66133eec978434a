"""llm-d's endpoint picker with flow control: hold requests while the pool is saturated.

A queue of strict priority, first come first served within, behind a gate: a priority passes while
the pool's saturation is below its ceiling. Each arrival and each tick of a millisecond lets one
request pass, so many pass on one scrape: the overshoot that users report (llm-d-router#2066).
"""

import math
from collections.abc import Sequence

from flyball.sim.rivals.epp_default import EppDefault
from flyball.sim.rivals.router import Ask, EndpointView, Pick, Wait
from flyball.units import Ratio, Seconds

_ROUNDING = 1e-6


class EppFlow(EppDefault):
    """Ticks are counted, not run: at each event as many pass as ticks have gone by since the last
    one, if somebody waited and the gate was open then. Ranks are among the priorities seen so far.
    """

    name = "epp_flow"

    def begin(self) -> None:
        """Nobody was seen, nobody waits."""
        super().begin()
        self.held_max = int(self.constants["band_requests_max"])
        self._bands: list[int] = []
        self._seen_at: Seconds = 0.0
        self._has_waiting = False
        self._passes = 0

    def band(self, ask: Ask) -> int:
        """Its priority. An arrival is looked at at once: that lets one more pass."""
        if ask.priority not in self._bands:
            self._bands = sorted([*self._bands, ask.priority], reverse=True)
        self._passes = self._passes + 1 if self._has_waiting else 1
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
        if self._has_waiting:
            self._passes += self._tick(at) - self._tick(self._seen_at)
        self._seen_at = at
        wait = Wait(self.constants["ttl_s"])
        if self.saturation(at, endpoints) >= self.ceiling(ask.priority):
            # What comes by while the gate is shut is lost: the next tick opens anew.
            self._has_waiting, self._passes = False, 0
            return wait
        self._has_waiting = self._passes <= 0
        if self._has_waiting:
            return wait
        self._passes -= 1
        return self.draw_best(endpoints, self.scores(ask, endpoints))

    def _tick(self, at: Seconds) -> int:
        return math.floor(at / self.constants["dispatch_tick_s"] + _ROUNDING)
