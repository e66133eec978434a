"""How many servers does a feed carry, and how many joules does a good token cost, by which loop?

A feed is laid out for eight H100 at full power. More of them are set under it, each with its share
of a load that grows with their number: nothing is gained where clocks fall so far that promises are
missed, and nothing may be deployed that draws more than the feed gives. Half of the servers have
low priority for the loop that tells two priorities apart (POLCA); a router knows nothing of that.
"""

from typing import Any

import msgspec
from msgspec import Struct

from flyball.dialects.profiles import catalogue
from flyball.sim.experiments.mixes import IN_TIME_MIN, MIXES, PATIENCE_S, classes, workload
from flyball.sim.run import Result
from flyball.sim.scenario import Scenario
from flyball.units import Joules, Ratio, Seconds, Watts

PROFILE = "h100/llama-3.1-8b"
FEED_SERVERS = 8
MIX = "agents"
SIZE_PER_SERVER = 1.4 / FEED_SERVERS
DURATION_S: Seconds = 120.0
WARMUP_S: Seconds = 40.0
HALVES = ("h100-high", "h100-low")


class Tolerance(Struct, frozen=True):
    """What a feed bears: in which share of the time it may be passed, and how far (1 = not)."""

    time_max: Ratio
    watts_max: Ratio


# The feed's brake must be a rare thing, in POLCA's terms; and a feed that bears a little for a
# second, as protection against overload does (its trip curves allow far more).
TOLERANCES = {
    "never above": Tolerance(1e-3, 1.0),
    "5 % above, 1 % of the time": Tolerance(0.01, 1.05),
}


class Capper(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who decides about requests, and who about watts: a rule of the twin, "governor", or "" =
    clocks fall only at the limit, all alike. `consolidates` = idle servers are parked as well;
    `hold_ratio` as of a contestant."""

    core: str
    power: str = ""
    consolidates: bool = False
    hold_ratio: Ratio = 0.0


def scenario(
    one: Capper, servers: int, load: float, seed: int, feed_ratio: Ratio | None = 1.0
) -> Scenario:
    """So many servers, each with an equal share of `load` (1 = the mix for eight of them), under
    `feed_ratio` of the feed; None = no limit."""
    low = servers // 2
    site: dict[str, Any] = {"jurisdiction": "EU", "rtt_ms": 4.0, "usd_per_kwh": 0.1}
    if feed_ratio is not None:
        site["power_watts_max"] = feed_ratio * feed_watts()
    mix, counts = MIXES[MIX], (servers - low, low)
    parked = {"name": "consolidation", "mode": "enforce"}
    shape: dict[str, Any] = {
        "version": "v1",
        "seed": seed,
        "duration_s": DURATION_S,
        "warmup_s": WARMUP_S,
        "drain_s": 60.0,
        "checks": False,
        "core": one.core,
        "fleet": {
            "sites": {"site": site},
            "pools": {
                name: {"site": "site", "profile": PROFILE, "replicas": count}
                for name, count in zip(HALVES, counts, strict=True)
            },
            "classes": classes(mix, {}, one.hold_ratio),
        },
        "workload": workload(mix, SIZE_PER_SERVER * servers, load),
        "clients": {"rtt_ms": 10.0, "patience_s": PATIENCE_S},
        "telemetry": {"interval_ms": 50.0},
        "loops": {"power": one.power, "power_low": HALVES[1:] if one.power == "polca" else ()},
        "policy": {"loops": [parked] if one.consolidates else []},
    }
    return msgspec.convert(shape, Scenario)


def feed_watts() -> Watts:
    """What eight of the servers draw at most."""
    return FEED_SERVERS * catalogue()[PROFILE].power.full_watts


def is_carried(result: Result, tolerance: Tolerance) -> bool:
    """Every class within its promises, and the feed not passed beyond what it bears."""
    report = result.report
    over_s = sum(report.site_over_limit_s.values())
    return (
        min(one.in_time_ratio for one in report.classes) >= IN_TIME_MIN
        and over_s <= tolerance.time_max * report.duration_s
        and sum(report.site_watts_peak.values()) <= tolerance.watts_max * feed_watts()
    )


def joules_per_good_token(result: Result) -> Joules:
    """All the energy of the run over the tokens of the answers that were in time."""
    columns = result.columns
    good = float(columns["output_tokens"][columns["in_time"] == 1].sum())
    joules = sum(pool.joules for pool in result.report.pools)
    return joules / good if good else float("inf")
