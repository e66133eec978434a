"""What is to be placed where: demand, sites, accelerators and profiles, as pure data?

maximise   sum value x - energy - rent                                            (USD per hour)
subject to served_min_f rate_f <= sum_{o} x[f,o] <= rate_f                        (demand)
           sum_f (1 + z cv_f) gpu_s[f,o] x[f,o] <= n[o]                           (GPU time)
           sum_{o on asset a} accelerators_o n[o] <= owned_a + r[a]               (accelerators)
           sum_{o at site s} idle_o n[o] + (1 + z cv_f) joules[f,o] x[f,o] <= watts_max_s
           0 <= r[a] <= rent_max_a,  x >= 0,  n whole

x[f,o] = requests per second of flow f (one class from one origin) at option o (one profile at one
site), n = replicas, r = accelerators rented. The rate's standard deviation enters z times over, for
all flows at once: the plan holds if every flow peaks together, which is the cautious reading of a
chance constraint (Soyster 1973; less so than independent peaks would need). KV residency needs no
row: the batch behind `gpu_s` fits the KV of a replica (`placement_fit`).
"""

from msgspec import Struct

from flyball.model.fleet import Site
from flyball.model.profile import Profile
from flyball.model.request import RequestClass
from flyball.pricing.work import Sizes
from flyball.units import Ratio, Seconds, Usd


class Flow(Struct, frozen=True, kw_only=True):
    """One class from one origin. `rtt_s` holds the round trip to each site, by its index."""

    klass: RequestClass
    origin: str
    model: str
    sizes: Sizes
    rate_per_s: float
    rtt_s: tuple[Seconds, ...]
    rate_sd_per_s: float = 0.0
    served_min: Ratio = 1.0

    @property
    def name(self) -> str:
        """`class from origin`."""
        return f"{self.klass.name} from {self.origin}"


class Asset(Struct, frozen=True, kw_only=True):
    """Accelerators of one kind at one site: those owned (their price is spent already), and how
    many more can be had at which price (`rent_max` 0 = none)."""

    site_index: int
    accelerator: str
    owned: int = 0
    rent_max: int = 0
    usd_per_hour: Usd = 0.0


class Option(Struct, frozen=True, kw_only=True):
    """One profile that may run at one site, on the accelerators of one asset."""

    asset_index: int
    profile: Profile


class Placement(Struct, frozen=True, kw_only=True):
    """The whole problem. `z` = standard deviations of demand to be safe against; `in_time` = share
    of requests that must keep their promise in the randomness of seconds (`placement_fit`)."""

    sites: tuple[Site, ...]
    assets: tuple[Asset, ...]
    options: tuple[Option, ...]
    flows: tuple[Flow, ...]
    z: float = 2.0
    in_time: Ratio = 0.95


def check(problem: Placement) -> None:
    """Raise ValueError, naming the place, for what cannot be: an index out of range, a negative or
    missing figure, no flow, no option."""
    sites = len(problem.sites)
    if not problem.flows:
        raise ValueError("there is no demand")
    if not problem.options:
        raise ValueError("there is nothing to place it on: no profile at any site")
    for flow in problem.flows:
        if len(flow.rtt_s) != sites:
            raise ValueError(f"{flow.name}: {len(flow.rtt_s)} round trips for {sites} sites")
        if not (flow.rate_per_s >= 0 and flow.rate_sd_per_s >= 0 and 0 <= flow.served_min <= 1):
            raise ValueError(f"{flow.name}: a rate is negative, or served_min is not in [0, 1]")
    for asset in problem.assets:
        if not 0 <= asset.site_index < sites:
            raise ValueError(f"{asset.accelerator}: no site {asset.site_index}")
        if min(asset.owned, asset.rent_max, asset.usd_per_hour) < 0:
            raise ValueError(f"{asset.accelerator}: a count or price is negative")
    for option in problem.options:
        if not 0 <= option.asset_index < len(problem.assets):
            raise ValueError(f"{option.profile.name}: no asset {option.asset_index}")
    if not 0.0 < problem.in_time < 1.0 or problem.z < 0:
        raise ValueError("in_time must lie in (0, 1) and z be at least 0")
