"""How many watts does a site draw, and how much slower must it run to stay below its limit?

Power follows the profile's concave curve of the batch (idle + span * b / (b + half)). Under a
limit the clocks of the whole site are lowered: dynamic power goes with the cube of the frequency
(P = C V^2 f with V in proportion to f; Horowitz et al., "Low-power digital design", 1994), step
time with its inverse. Decode steps bound by memory lose less than that in truth, so this errs on
the safe side.
"""

from collections.abc import Sequence

from flyball.model.fleet import Site
from flyball.sim.replica import Replica
from flyball.units import Ratio, Seconds, Watts

# Data-centre GPUs cannot be clocked below about half (H100: 1,980 MHz boost, locked caps of POLCA
# (ASPLOS 2024) go down to 1,110 MHz = 0.56).
CLOCK_RATIO_MIN: Ratio = 0.56


class PowerCap:
    """Looks at each site once a period and sets the clocks of its replicas."""

    def __init__(self, sites: Sequence[Site], replicas: Sequence[Replica]) -> None:
        self._sites = [(site, [r for r in replicas if r.site == site.name]) for site in sites]
        self.watts_peak: dict[str, Watts] = {site.name: 0.0 for site in sites}
        self.over_limit_s: dict[str, Seconds] = {site.name: 0.0 for site in sites}

    def look(self, period_s: Seconds) -> None:
        """Read the watts of every site at full clocks, and cap those that stand above."""
        for site, replicas in self._sites:
            idle = sum(r.idle_watts for r in replicas)
            uncapped = idle + sum(r.dynamic_watts for r in replicas)
            ratio = clock_ratio(idle, uncapped - idle, site.power_watts_max)
            drawn = idle + (uncapped - idle) * ratio**3
            self.watts_peak[site.name] = max(self.watts_peak[site.name], drawn)
            if drawn > site.power_watts_max * (1.0 + 1e-9):
                self.over_limit_s[site.name] += period_s
            for replica in replicas:
                replica.set_clock(ratio)


def clock_ratio(idle: Watts, dynamic: Watts, watts_max: Watts) -> Ratio:
    """The largest share of full clock at which idle + dynamic * ratio^3 <= watts_max; at least
    `CLOCK_RATIO_MIN`, even where that does not suffice."""
    if idle + dynamic <= watts_max or dynamic <= 0.0:
        return 1.0
    room = max(0.0, watts_max - idle) / dynamic
    return max(CLOCK_RATIO_MIN, room ** (1.0 / 3.0))
