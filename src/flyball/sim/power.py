"""How many watts does a site draw, and how much slower must it run to stay below its limit?

Power follows the profile's concave curve of the batch (idle + span * b / (b + half)). A lowered
clock lowers dynamic power with the cube of the frequency (P = C V^2 f with V in proportion to f;
Horowitz et al., "Low-power digital design", 1994) and stretches step time by its inverse. Decode
steps bound by memory lose less than that in truth, so this errs on the safe side. Without a rival
power loop, a site at its limit lowers all its clocks alike, just as far as needed: below the clocks
that the governor ordered, if it did.
"""

from collections.abc import Sequence
from math import inf

from flyball.model.fleet import Site
from flyball.sim.replica import Replica
from flyball.sim.rivals.power import PowerLoop, PowerReading
from flyball.units import Ratio, Seconds, Watts

PERIOD_S: Seconds = 1.0
# Data-centre GPUs cannot be clocked below about half (the power brake apart): the lowest cap of
# POLCA (ASPLOS 2024) is 1,110 of 1,980 MHz = 0.56.
CLOCK_RATIO_MIN: Ratio = 0.56


class Power:
    """Looks at each site once a period and sets the clocks of its replicas.

    `watts_peak` and `over_limit_s` are kept by site. `low` names pools of low priority. `clocks` =
    what the governor ordered, by pool.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        replicas: Sequence[Replica],
        rule: PowerLoop | None = None,
        low: Sequence[str] = (),
    ) -> None:
        self._sites = [(site, [r for r in replicas if r.site == site.name]) for site in sites]
        self._rule = rule
        self._low = frozenset(low)
        self.period_s: Seconds = rule.period_s if rule else PERIOD_S
        self.clocks: dict[str, Ratio] = {}
        self.watts_peak: dict[str, Watts] = {site.name: 0.0 for site in sites}
        self.over_limit_s: dict[str, Seconds] = {site.name: 0.0 for site in sites}

    def look(self, at: Seconds) -> None:
        """Read the watts of every site, note them, and set its clocks for the next period."""
        for site, replicas in self._sites:
            dynamic = [(replica, replica.dynamic_watts) for replica in replicas]
            idle = sum([replica.idle_watts for replica in replicas], 0.0)
            watts = idle + sum([full * one.clock_ratio**3 for one, full in dynamic], 0.0)
            self.watts_peak[site.name] = max(self.watts_peak[site.name], watts)
            if watts > site.power_watts_max:
                self.over_limit_s[site.name] += self.period_s
            if self._rule is None:
                clocks = self.clocks
                shares = [full * clocks.get(r.pool.name, 1.0) ** 3 for r, full in dynamic]
                ordered = sum(shares, 0.0)
                ratio = clock_ratio(idle, ordered, site.power_watts_max)
                for replica in replicas:
                    own = clocks.get(replica.pool.name, 1.0)
                    replica.set_clock(max(CLOCK_RATIO_MIN, ratio * own))
            elif site.power_watts_max < inf and replicas:
                self._obey(self._rule, at, site, watts, dynamic)

    def _obey(
        self,
        rule: PowerLoop,
        at: Seconds,
        site: Site,
        watts: Watts,
        dynamic: Sequence[tuple[Replica, Watts]],
    ) -> None:
        full = max(replica.pool.profile.power.full_watts for replica, _ in dynamic)
        order = rule.order(
            PowerReading(
                at=at,
                site=site.name,
                watts=watts,
                watts_max=site.power_watts_max,
                replicas=len(dynamic),
                replica_watts_max=full,
            )
        )
        for replica, own in dynamic:
            is_low = replica.pool.name in self._low
            ordered = order.clock_ratio_low if is_low else order.clock_ratio_high
            capped = clock_ratio(replica.idle_watts, own, order.replica_watts_cap)
            replica.set_clock(min(ordered, capped))


def clock_ratio(idle: Watts, dynamic: Watts, watts_max: Watts) -> Ratio:
    """The largest share of full clock at which idle + dynamic * ratio^3 <= watts_max; at least
    `CLOCK_RATIO_MIN`, even where that does not suffice."""
    if idle + dynamic <= watts_max or dynamic <= 0.0:
        return 1.0
    room = max(0.0, watts_max - idle) / dynamic
    return max(CLOCK_RATIO_MIN, room ** (1.0 / 3.0))
