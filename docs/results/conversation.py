"""What happens when the Mooncake conversation hour is played on a fleet? (For the result scripts.)

The trace is the public one of FAST'25 (kvcache-ai/Mooncake, Apache-2.0), at
$FLYBALL_DATA/mooncake_conversation (else ../shared/data beside the checkout).
"""

import gzip
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally, TraceRow
from flyball.model.fleet import Fleet
from flyball.model.profile import Profile
from flyball.sim.build import build
from flyball.sim.report import Report
from flyball.sim.run import run
from flyball.sim.scenario import Scenario

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("FLYBALL_DATA", ROOT.parent / "shared" / "data"))
TRACE = DATA / "mooncake_conversation" / "conversation_trace.jsonl.gz"
HOUR_S = 3540.0


def rows() -> list[TraceRow]:
    """The whole trace. SystemExit where it is not at hand."""
    if not TRACE.is_file():
        raise SystemExit(
            f"the trace is not at {TRACE}: set FLYBALL_DATA to the folder of data sets"
        )
    with gzip.open(TRACE) as lines:
        return list(formats.read("mooncake", lines, str(TRACE), Tally()))


def play(
    trace: Iterable[TraceRow],
    profile: Profile,
    *,
    replicas: int,
    seed: int = 1,
    promise: dict[str, float] | None = None,
    **more: Any,
) -> Report:
    """One run: a pool of `replicas` of this profile, clients that wait for ever and never retry.

    `more` = other keys of a scenario file. The run lasts until the last answer.
    """
    shape: dict[str, Any] = {
        "version": "v1",
        "fleet": {
            "sites": {"here": {}},
            "pools": {
                "pool": {"site": "here", "profile": "h100x2/qwen3-32b", "replicas": replicas}
            },
            "classes": {"chat": {"deadline_s": 1e6, **(promise or {})}},
        },
        "workload": {"trace": {"file": TRACE.name}},
        "duration_s": HOUR_S,
        "drain_s": 7200.0,
        "seed": seed,
        "clients": {"retries": 0, "patience_s": {"": 1e6}},
        "telemetry": {"interval_ms": 500.0},
        "checks": False,
        **more,
    }
    scenario = msgspec.convert(shape, Scenario)
    fleet, policy = build(scenario)
    pools = tuple(replace(pool, profile=profile, models=(profile.model,)) for pool in fleet.pools)
    fleet = Fleet(sites=fleet.sites, pools=pools, endpoints=fleet.endpoints)
    return run(scenario, fleet, policy, trace).report
