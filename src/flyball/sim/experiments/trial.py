"""What exactly is one run of an experiment, and by which key is its result kept?

A trial says everything that its result depends on but the code; the same trial of the same code
gives the same bytes. Load is a step of a common grid, so that contestants meet at equal loads and
a run already made is found again.
"""

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from flyball.sim.experiments.contestants import Contestant
from flyball.sim.experiments.fleets import FLEETS, FleetCase
from flyball.sim.experiments.mixes import (
    MIXES,
    PATIENCE_S,
    budget_usd_per_hour,
    classes,
    workload,
)
from flyball.sim.experiments.troubles import RECOVERY_S, STRIKES_AT_S, TROUBLES
from flyball.sim.scenario import Scenario
from flyball.units import Seconds

GRID_RATIO = 1.02
WARMUP_S: Seconds = 60.0
STEADY_S: Seconds = 240.0


class Trial(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run. `step` = place on the grid of loads; `trouble` = a name in TROUBLES, "" = none.

    `gateways` share the load; `age_ms` = between two readings of the engines, and, of several
    gateways, between two exchanges of work in flight.
    """

    fleet: str
    mix: str
    contestant: Contestant
    step: int
    seed: int
    trouble: str = ""
    gateways: int = 1
    age_ms: float = 50.0

    @property
    def load(self) -> float:
        """The multiple of the mix's rates."""
        return GRID_RATIO**self.step

    def key(self, code: str) -> str:
        """Its name on disk, for results of this code (a digest of sources)."""
        said = msgspec.json.encode((code, self, FLEETS[self.fleet], MIXES[self.mix]))
        return sha256(said).hexdigest()[:32]


def duration_s(trial: Trial) -> Seconds:
    """How long its requests come."""
    if not trial.trouble:
        return STEADY_S
    return STRIKES_AT_S + TROUBLES[trial.trouble].for_s + RECOVERY_S


def scenario(trial: Trial) -> Scenario:
    """The trial as a scenario; KeyError for a name that is not known."""
    fleet, mix = FLEETS[trial.fleet], MIXES[trial.mix]
    shape: dict[str, Any] = {
        "version": "v1",
        "seed": trial.seed,
        "duration_s": duration_s(trial),
        "warmup_s": WARMUP_S,
        "drain_s": 60.0,
        "checks": False,
        "fleet": {
            "sites": fleet.sites,
            "pools": fleet.pools,
            "classes": classes(mix, fleet.resident, trial.contestant.hold_ratio),
        },
        "workload": workload(mix, fleet.size, trial.load),
        "clients": {"rtt_ms": 10.0, "patience_s": PATIENCE_S},
        "telemetry": {"interval_ms": trial.age_ms},
        "gateways": {"count": trial.gateways, "peer_ms": max(1.0, min(trial.age_ms, 20.0))},
        "triggers": _triggers(trial, fleet),
        **trial.contestant.section(budget_usd_per_hour(mix, fleet.size, trial.load)),
    }
    return msgspec.convert(shape, Scenario)


def _triggers(trial: Trial, fleet: FleetCase) -> list[dict[str, Any]]:
    return TROUBLES[trial.trouble].strikes(fleet) if trial.trouble else []
