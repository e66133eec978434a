"""How many requests does the simulated world serve per second of one core's time?

Load made from published statistics; every row is the CPU time of whole runs, with all that a run
does: clients, network, readings ten times a second, checks, report. The light core is least-request
(two choices); the other is the governor itself, with prices solved every second.
"""

import math
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import msgspec

import builds
from flyball.dialects.traces.row import TraceRow
from flyball.model.plant import Job
from flyball.sim.build import build
from flyball.sim.engine import Engine
from flyball.sim.run import generated, run
from flyball.sim.scenario import Scenario

ROUNDS = 3
PROFILE = "h100/llama-3.1-8b"
CORES = ("least_request", "governor")
DYNOSIM = "DynoSim (Rust, 8 workers, M4 laptop): 9,800/s as published"
SPLITWISE = "splitwise-sim (4 replicas, Python): 1,655/s as measured elsewhere"


def scenario(
    core: str, replicas: int, seconds: float, rate: float, mix: dict[str, float]
) -> Scenario:
    """A homogeneous fleet at one site, near its clients."""
    told: dict[str, Any] = {
        "version": "v1",
        "core": core,
        "duration_s": seconds,
        "fleet": {
            "sites": {"here": {"rtt_ms": 2}},
            "pools": {"h100": {"site": "here", "profile": PROFILE, "replicas": replicas}},
            "classes": {"chat": {"ttft_ms": 1000, "tpot_ms": 60, "output_tokens_mean": 211}},
        },
        "workload": {"generate": {"rate": rate, "mix": mix}},
        "policy": {"pricing": {"solve_interval_s": 1.0}},
    }
    return msgspec.convert(told, Scenario)


def speed(one: Scenario) -> tuple[list[float], int]:
    """Calls per CPU second of each round, and calls in one run."""
    fleet, policy = build(one)
    rows = list(generated(one))
    rates: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        calls = run(one, fleet, policy, rows).report.total.calls
        rates.append(calls / (time.process_time() - begun))
    return rates, len(rows)


def row(figure: str, rates: list[float], **more: Any) -> dict[str, Any]:
    """One line of the table."""
    spread = (min(rates), max(rates))
    return {
        "figure": figure, "value": statistics.median(rates), "unit": "req/CPU-s", "spread": spread,
    } | more  # fmt: skip


def engine_alone(rows: list[TraceRow]) -> list[float]:
    """The engine by itself: no core, no network, no clients, no report."""
    jobs = [
        (one.at_s, Job(f"{i}", one.input_tokens, one.output_tokens)) for i, one in enumerate(rows)
    ]
    profile = build(scenario("observe", 1, 1.0, 1.0, {"chat": 1}))[0].pools[0].profile
    rates: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        engine = Engine(profile, prefix_cache=False)
        for at, job in jobs:
            engine.submit(at, job)
        engine.advance(math.inf)
        rates.append(len(jobs) / (time.process_time() - begun))
    return rates


def growth() -> dict[str, Any]:
    """The slope of log time over log requests, 1 = linear."""
    points: list[tuple[float, float]] = []
    for seconds in (150.0, 300.0, 600.0, 1200.0):
        rates, calls = speed(scenario("least_request", 1, seconds, 8.0, {"chat": 1}))
        points.append((math.log(calls), math.log(calls / max(rates))))
    slope = statistics.linear_regression(*zip(*points, strict=True)).slope
    note = "slope of log CPU time over log requests, 1,200 to 9,600 requests; 1 = linear"
    return {"figure": "growth with requests", "value": slope, "unit": "exponent", "note": note}


def measured(alone: bool) -> list[dict[str, Any]]:
    """Every row; about two minutes a build."""
    lone = list(generated(scenario("observe", 1, 2400.0, 8.0, {"chat": 1})))
    rows = [
        row("1 replica, engine alone", engine_alone(lone), budget=">= 200000", rival=SPLITWISE),
    ]
    mixed = {"dialog": 0.5, "agent": 0.5}
    cases = (
        ("1 replica, Azure-like chat", 1, 1200.0, 8.0, {"chat": 1.0}, ""),
        ("8 replicas, prefix caches, sessions", 8, 100.0, 80.0, mixed, ">= 20000"),
        ("100 replicas, chat", 100, 12.0, 800.0, {"chat": 1.0}, ""),
        ("1,000 replicas, chat", 1000, 2.0, 8000.0, {"chat": 1.0}, ">= 5000"),
    )
    for name, replicas, seconds, rate, mix, budget in cases:
        for core in CORES:
            rates, calls = speed(scenario(core, replicas, seconds, rate, mix))
            more = {"budget": budget} | ({"rival": DYNOSIM} if replicas == 8 else {})
            rows.append(row(f"{name}: {core}", rates, note=f"{calls:,} requests", **more))
    rows.append(growth())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append(
        {"figure": "memory, peak of all runs", "value": peak, "unit": "MiB", "budget": 2048}
    )
    return rows


if __name__ == "__main__":
    builds.write("sim", measured)
