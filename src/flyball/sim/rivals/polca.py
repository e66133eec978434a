"""POLCA: lower the clocks of low-priority work at one power threshold, of all at a second."""

from collections.abc import Mapping

from flyball.sim.rivals.constants import constants
from flyball.sim.rivals.power import PowerOrder, PowerReading

FREE, FIRST, SECOND, BRAKE = range(4)


class Polca:
    """Patel et al., ASPLOS 2024. A level is left again only `uncap_margin` below its threshold."""

    name = "polca"

    def __init__(self, tuned: Mapping[str, float] | None = None) -> None:
        self.constants = constants(self.name, tuned)
        self.period_s = self.constants["period_s"]
        self._levels: dict[str, int] = {}

    def order(self, reading: PowerReading) -> PowerOrder:
        """Clocks by the level that the site's power has reached."""
        level = self._level(reading.watts / reading.watts_max, self._levels.get(reading.site, FREE))
        self._levels[reading.site] = level
        c = self.constants
        most = c["clock_mhz_max"]
        low = (most, c["first_low_mhz"], c["second_low_mhz"], c["brake_mhz"])[level]
        high = (most, most, c["second_high_mhz"], c["brake_mhz"])[level]
        return PowerOrder(clock_ratio_low=low / most, clock_ratio_high=high / most)

    def _level(self, used: float, before: int) -> int:
        c = self.constants
        thresholds = (0.0, c["first_threshold"], c["second_threshold"], 1.0)
        reached = max(level for level in range(4) if used >= thresholds[level])
        kept = [n for n in range(before + 1) if used >= thresholds[n] - c["uncap_margin"]]
        return max(reached, *kept) if kept else reached
