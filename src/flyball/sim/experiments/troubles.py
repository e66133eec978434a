"""Which standard troubles must a fleet recover from, and within which time?

Each strikes once, at the same time, at a load that the fleet serves well without it. A trouble that
has no meaning on a fleet (a partition of its only site) strikes nothing there.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from flyball.sim.experiments.fleets import FleetCase
from flyball.units import Seconds

STRIKES_AT_S: Seconds = 120.0
# Recovered = every class is within its objective again in the last minute of this time after the
# trouble's end.
RECOVERY_S: Seconds = 300.0
LAST_S: Seconds = 60.0
LOST_SHARE = 0.1


class TroubleCase(Struct, frozen=True, kw_only=True):
    """What it does, for how long, and to whom."""

    title: str
    for_s: Seconds
    targets: Callable[[FleetCase], list[dict[str, Any]]]

    def strikes(self, fleet: FleetCase) -> list[dict[str, Any]]:
        """The `triggers` of a scenario file."""
        return [{"at_s": STRIKES_AT_S, "for_s": self.for_s, **one} for one in self.targets(fleet)]


def _spike(fleet: FleetCase) -> list[dict[str, Any]]:
    return [{"kind": "spike", "factor": 1.6}]


def _loss(fleet: FleetCase) -> list[dict[str, Any]]:
    """A tenth of the replicas, at least one, of the fastest pool first."""
    count = max(1, round(LOST_SHARE * fleet.replicas))
    names = [f"{name}-{i}" for name, pool in fleet.pools.items() for i in range(pool["replicas"])]
    first = [name for name in names if name.startswith("h100")] or names
    return [{"kind": "replica-loss", "target": name} for name in first[:count]]


def _outage(fleet: FleetCase) -> list[dict[str, Any]]:
    return [{"kind": "telemetry-outage"}]


def _slow(fleet: FleetCase) -> list[dict[str, Any]]:
    return [{"kind": "slow", "target": "h100-0", "factor": 2.0}]


def _budget(fleet: FleetCase) -> list[dict[str, Any]]:
    """Felt where a loop watches a budget."""
    return [{"kind": "budget-cut", "factor": 0.5}]


def _partition(fleet: FleetCase) -> list[dict[str, Any]]:
    return [{"kind": "partition", "target": fleet.partition}] if fleet.partition else []


TROUBLES: dict[str, TroubleCase] = {
    "spike": TroubleCase(title="1.6 times the load for 60 s", for_s=60.0, targets=_spike),
    "loss": TroubleCase(title="a tenth of the replicas lost for 120 s", for_s=120.0, targets=_loss),
    "outage": TroubleCase(title="no telemetry for 30 s", for_s=30.0, targets=_outage),
    "slow": TroubleCase(title="one accelerator at half speed for 60 s", for_s=60.0, targets=_slow),
    "budget": TroubleCase(
        title="a budget for tokens set to half for 60 s", for_s=60.0, targets=_budget
    ),
    "partition": TroubleCase(title="a site cut off for 60 s", for_s=60.0, targets=_partition),
}


def troubles_of(fleet: FleetCase) -> list[str]:
    """Those that strike something there."""
    return [name for name, one in TROUBLES.items() if one.targets(fleet)]
