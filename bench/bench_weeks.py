"""How long do two weeks of a hundred replicas take, with all loops and prices each second?

The load is a thousandth of two ServeGen weeks (m-large and m-small: 1.66 of 1,657 million requests;
$FLYBALL_DATA, default ../shared/data). The governor prices each second, reads each engine as often
as the row says, and autoscalers and power limits look in their own periods; the replicas stay,
since the autoscalers' least is the whole pool. By default four pieces, spread evenly over the
fortnight and `PART` of it together (0.005), are run, and the whole is extrapolated from their CPU
time; `PART=0.1` runs a tenth, `FULL=1` all of it.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import builds
from flyball.dialects.traces import scale, servegen
from flyball.dialects.traces.row import TraceRow
from flyball.serve.load import tracefile
from flyball.sim import clientload
from flyball.sim.build import build
from flyball.sim.run import run
from flyball.sim.scenario import Scenario

PART = 1.0 if os.environ.get("FULL") else float(os.environ.get("PART", "0.005"))
PIECES = 1 if PART == 1.0 else 4
SHARE = 0.001
FORTNIGHT_S = 14 * 86_400.0
BUDGET_S = 300.0
PROFILE = "h100/llama-3.1-8b"
# How often engines are read: as the gateway does by default, and once a second.
READINGS_MS = (100.0, 1000.0)


def scenario(seconds: float, interval_ms: float) -> Scenario:
    """A hundred replicas of two models at two sites."""
    pools = {
        "large": ("east", 40, "m-large"),
        "small": ("west", 60, "m-small"),
    }
    told: dict[str, Any] = {
        "version": "v1",
        "duration_s": seconds,
        "fleet": {
            "sites": {
                "east": {"rtt_ms": 10, "usd_per_kwh": 0.2, "power_watts_max": 30_000},
                "west": {"rtt_ms": 30, "usd_per_kwh": 0.1, "power_watts_max": 45_000},
            },
            "pools": {
                name: {"site": site, "profile": PROFILE, "replicas": count, "models": [model]}
                for name, (site, count, model) in pools.items()
            },
            "classes": {
                "m-large": {"ttft_ms": 2000, "tpot_ms": 60, "output_tokens_mean": 133},
                "m-small": {"ttft_ms": 1000, "tpot_ms": 60, "output_tokens_mean": 45},
            },
        },
        "workload": {"trace": {"file": "-"}},
        "autoscalers": {
            name: {"rule": "hpa", "replicas_min": count, "replicas_max": count}
            for name, (_, count, _) in pools.items()
        },
        "clients": {"retries": 2},
        "telemetry": {"interval_ms": interval_ms},
        "policy": {"pricing": {"solve_interval_s": 1.0}},
    }
    return msgspec.convert(told, Scenario)


def load(folder: Path) -> Iterator[TraceRow]:
    """The fortnight, one window in memory at a time."""
    texts: list[Any] = []
    for name in ("arrivals.parquet", "lengths.parquet"):
        texts += [tracefile.lines(folder / name), name]
    return clientload.rows(servegen.read(*texts, ("m-large", "m-small")), SHARE, seed=1)


def pieces(folder: Path) -> tuple[list[list[TraceRow]], int, float]:
    """The rows of each piece from 0 s, how many the fortnight has, and CPU seconds to make all."""
    length_s = FORTNIGHT_S * PART / PIECES
    begins = [(i + 0.5) * FORTNIGHT_S / PIECES - length_s / 2 for i in range(PIECES)]
    begun = time.process_time()
    rows = list(load(folder))
    spent = time.process_time() - begun
    return [list(scale.window(rows, at, at + length_s)) for at in begins], len(rows), spent


def spent_on(rows: list[TraceRow], interval_ms: float) -> float:
    """CPU seconds of one piece."""
    one = scenario(FORTNIGHT_S * PART / PIECES, interval_ms)
    fleet, policy = build(one)
    begun = time.process_time()
    told = run(one, fleet, policy, rows).report
    assert told.boards and not told.breaches_count, told.breaches
    return time.process_time() - begun


def measured(alone: bool) -> list[dict[str, Any]]:
    """Both rows; a minute or two a build, hours with FULL=1. Exit code 1 where the data are not."""
    root = os.environ.get("FLYBALL_DATA")
    folder = Path(root) if root else Path(__file__).parents[2] / "shared" / "data"
    folder /= "servegen_clients"
    if not folder.is_dir():
        print(f"no {folder}: set FLYBALL_DATA to the folder of data sets", file=sys.stderr)
        raise SystemExit(1)
    parts, count, making_s = pieces(folder)
    rows: list[dict[str, Any]] = []
    for interval_ms in READINGS_MS:
        each = [spent_on(part, interval_ms) for part in parts]
        whole = [making_s + one * PIECES / PART for one in each]
        calls = sum(map(len, parts))
        did = "run whole" if PART == 1.0 else f"extrapolated from {PIECES} pieces, {PART:.2%}"
        rows.append(
            {
                "figure": f"two weeks, 100 replicas, engines read every {interval_ms:g} ms",
                "value": sum(whole) / PIECES, "unit": "CPU-s", "budget": BUDGET_S,
                "spread": (min(whole), max(whole)),
                "note": f"{count:,} requests, {calls:,} of them run ({sum(each):.0f} s), {did}; "
                f"making the load {making_s:.1f} s",
            }
        )  # fmt: skip
    return rows


if __name__ == "__main__":
    builds.write("weeks", measured)
