"""Small scenarios for tests of the simulated world."""

from typing import Any

import msgspec

from flyball.sim.build import build
from flyball.sim.run import Result, World, generated, run
from flyball.sim.scenario import Scenario

BASE: dict[str, Any] = {
    "version": "v1",
    "seed": 7,
    "duration_s": 30,
    "fleet": {
        "sites": {
            "near": {"jurisdiction": "EU", "rtt_ms": 4},
            "far": {"jurisdiction": "US", "rtt_ms": 40, "usd_per_kwh": 0.1},
        },
        "pools": {
            "h100": {"site": "far", "profile": "h100/llama-3.1-8b", "replicas": 1},
            "l40s": {"site": "near", "profile": "l40s/llama-3.1-8b", "replicas": 1},
        },
        "classes": {"chat": {"value_usd": 0.01, "ttft_ms": 1000, "tpot_ms": 60}},
    },
    "workload": {"generate": {"rate": 6, "mix": {"chat": 1}}},
}


def data(**changes: Any) -> dict[str, Any]:
    """The base scenario as plain data; `a__b=x` sets key b of section a."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(BASE))
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = made
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return made


def scenario(**changes: Any) -> Scenario:
    """The base scenario with changes."""
    return msgspec.convert(data(**changes), Scenario)


def world(one: Scenario, **given: Any) -> World:
    """A world ready to run."""
    fleet, policy = build(one)
    return World(one, fleet, policy, given.pop("rows", None) or generated(one), **given)


def ran(**changes: Any) -> Result:
    """The base scenario with changes, run."""
    one = scenario(**changes)
    fleet, policy = build(one)
    return run(one, fleet, policy, name="test")
