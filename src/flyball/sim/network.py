"""How long is a message under way, and does it arrive?

One way = half the round trip, plus exponential jitter of a mean that is a share of it. Between
Azure regions the round trip is 1.17 to 8.7 times light in fibre, median 1.72 (2,350 pairs); the
jitter of a quiet wide-area path is a few per cent, and its tail is what an exponential shows.
"""

from math import log

from flyball.model.fleet import Fleet
from flyball.sim.clock import Chance
from flyball.units import Ratio, Seconds

# Light in fibre: 299,792 km/s over a group index of 1.468 (ITU-T G.652); out and back.
FIBRE_KM_PER_S = 204_218.0


def rtt_s_min(distance_km: float) -> Seconds:
    """The round trip that no network over this distance can beat."""
    return 2.0 * distance_km / FIBRE_KM_PER_S


class Network:
    """Paths: clients to gateway, gateway to each site. `cut` holds the sites out of reach."""

    def __init__(
        self, fleet: Fleet, chance: Chance, client_rtt_s: Seconds, jitter_ratio: Ratio
    ) -> None:
        sites = {site.name: site for site in fleet.sites}
        pools = {pool.name: pool for pool in fleet.pools}
        self.site_of = [pools[endpoint.pool].site for endpoint in fleet.endpoints]
        self._half = [sites[name].rtt_s / 2.0 for name in self.site_of]
        self._client_half = client_rtt_s / 2.0
        self._jitter = jitter_ratio
        self._chance = chance
        self.cut: set[str] = set()

    def to_client(self) -> Seconds:
        """One way between a client and the gateway."""
        half = self._client_half
        return self._jittered(half) if self._jitter else half

    def to_endpoint(self, endpoint: int) -> Seconds:
        """One way between the gateway and an endpoint (either direction)."""
        half = self._half[endpoint]
        return self._jittered(half) if self._jitter else half

    def _jittered(self, half: Seconds) -> Seconds:
        return half * (1.0 - self._jitter * log(1.0 - self._chance.uniform())) if half else half

    def is_cut(self, endpoint: int) -> bool:
        """Whether a partition stands between the gateway and this endpoint's site."""
        return bool(self.cut) and self.site_of[endpoint] in self.cut
