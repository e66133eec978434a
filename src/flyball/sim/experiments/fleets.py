"""On which fleets are cores compared?

Eight replicas each, so that a run takes seconds; all serve the same 8B model. `size` scales the
mixes' rates, so that a load of 1 is a like share of every fleet.
"""

from typing import Any

from msgspec import Struct


class FleetCase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sites and pools as in a scenario file. `resident` = jurisdictions that classes are bound to;
    `partition` = the site that a partition cuts off, "" = there is only one site."""

    title: str
    sites: dict[str, dict[str, Any]]
    pools: dict[str, dict[str, Any]]
    size: float = 1.0
    resident: dict[str, tuple[str, ...]] = {}
    partition: str = ""

    @property
    def replicas(self) -> int:
        """All of them."""
        return sum(pool["replicas"] for pool in self.pools.values())


def _pool(accelerator: str, replicas: int, site: str = "site") -> dict[str, Any]:
    return {"site": site, "profile": f"{accelerator}/llama-3.1-8b", "replicas": replicas}


_SITE = {"jurisdiction": "EU", "rtt_ms": 4.0, "usd_per_kwh": 0.1}
_MIXED = {
    "h100": _pool("h100", 2),
    "a100": _pool("a100", 2),
    "l40s": _pool("l40s", 3),
    "mi300x": _pool("mi300x", 1),
}
# A feed of 7 tenths of what the mixed fleet draws with all clocks at full: 2 x 700 + 2 x 400 +
# 3 x 350 + 750 W of data sheets = 4,000 W.
_FEED_WATTS = 2800.0

FLEETS: dict[str, FleetCase] = {
    "uniform": FleetCase(
        title="8 H100 at one site",
        sites={"site": _SITE},
        pools={"h100": _pool("h100", 8)},
        size=1.4,
    ),
    "mixed": FleetCase(
        title="2 H100, 2 A100, 3 L40S and 1 MI300X at one site", sites={"site": _SITE}, pools=_MIXED
    ),
    "feed": FleetCase(
        title="the mixed fleet under a feed of 2.8 kW",
        sites={"site": {**_SITE, "power_watts_max": _FEED_WATTS}},
        pools=_MIXED,
    ),
    "tiers": FleetCase(
        title="three tiers: 3 L40S at the edge (4 ms, EU), 2 A100 and 1 MI300X in the region "
        "(15 ms, EU), 2 H100 in the centre (40 ms, US); fixers and dialogs stay in the EU",
        sites={
            "edge": {"jurisdiction": "EU", "tier": "edge", "rtt_ms": 4.0, "usd_per_kwh": 0.25},
            "region": {
                "jurisdiction": "EU",
                "tier": "regional",
                "rtt_ms": 15.0,
                "usd_per_kwh": 0.2,
            },
            "centre": {"jurisdiction": "US", "rtt_ms": 40.0, "usd_per_kwh": 0.07},
        },
        pools={
            "l40s": _pool("l40s", 3, "edge"),
            "a100": _pool("a100", 2, "region"),
            "mi300x": _pool("mi300x", 1, "region"),
            "h100": _pool("h100", 2, "centre"),
        },
        resident={"fixer": ("EU",), "dialog": ("EU",)},
        partition="centre",
    ),
}
