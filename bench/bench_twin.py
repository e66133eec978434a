"""How far apart are the emulated engine over HTTP and the simulator, on one trace?

The same requests go to `flyball engine` in real time, over a socket, and through the simulated
world. Both move the same plant; what differs is the wire: the client's timers, HTTP, reading the
prompt, the event loop's whole milliseconds, this machine's noise. The wire is measured apart: the
first requests go, at the same times, to an engine that takes no time (`--time-scale 1e6`), so their
time to the first token is the wire's alone. Its mean is the simulated clients' round trip. The rows
without it are shown too; they say how far the wire alone sets the two apart.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

import builds
from flyball.dialects.traces.row import TraceRow
from flyball.serve.load.generator import Target, run_load
from flyball.serve.load.report import Answer
from flyball.sim.build import build
from flyball.sim.run import generated, run
from flyball.sim.scenario import Scenario

PROFILE = "h100/llama-3.1-8b"
SCENARIO: dict[str, Any] = {
    "version": "v1",
    "core": "least_request",
    "duration_s": 45,
    "fleet": {
        "sites": {"here": {}},
        "pools": {"h100": {"site": "here", "profile": PROFILE, "replicas": 1}},
    },
    "workload": {"generate": {"rate": 8, "mix": {"chat": 0.6, "dialog": 0.4}}},
}


WIRE_ROWS_S = 15.0


def live(rows: list[TraceRow], time_scale: str = "1") -> dict[int, Answer]:
    """What the emulator answered, by number."""
    flyball = str(Path(sys.executable).with_name("flyball"))
    process = subprocess.Popen(
        [flyball, "engine", "--profile", PROFILE, "--port", "0", "--time-scale", time_scale],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    answers: list[Answer] = []
    try:
        url = process.stdout.readline().split()[-1]
        target = Target(url=url, model="llama-3.1-8b", send_class=False)
        asyncio.run(run_load(rows, target, on_answer=answers.append))
    finally:
        process.terminate()
        process.wait(10)
    return {one.number: one for one in answers if one.result == "answered"}


def wire_s(rows: list[TraceRow]) -> list[float]:
    """Seconds to the first token where the engine takes none: what the wire costs, per request."""
    first = [row for row in rows if row.at_s < WIRE_ROWS_S]
    return [answer.ttft_s for answer in live(first, "1e6").values()]


def simulated(rows: list[TraceRow], rtt_s: float) -> dict[int, tuple[float, float]]:
    """The same of the simulated world, whose clients are `rtt_s` away."""
    one = msgspec.convert(SCENARIO | {"clients": {"rtt_ms": rtt_s * 1e3}}, Scenario)
    columns = run(one, *build(one), rows).columns
    times = zip(columns["ttft_s"].tolist(), columns["e2e_s"].tolist(), strict=True)
    return dict(enumerate(times))


Times = dict[int, tuple[float, float]]  # request -> its TTFT and E2E, seconds


def compared(sim: Times, wire: Times, label: str, budget: str | None) -> list[dict[str, Any]]:
    """Means and percentiles of both, and the median difference of single requests."""
    table: list[dict[str, Any]] = []
    for place, name in enumerate(("TTFT", "E2E")):
        ours = np.array([sim[number][place] for number in sorted(wire)])
        theirs = np.array([wire[number][place] for number in sorted(wire)])
        for kind, figure in (
            ("mean", np.mean),
            ("p50", lambda values: np.percentile(values, 50)),
            ("p99", lambda values: np.percentile(values, 99)),
        ):
            both = float(figure(theirs)), float(figure(ours))
            table.append(
                {
                    "figure": f"{name} {kind}: emulator over HTTP against simulator, {label}",
                    "value": abs(both[0] / both[1] - 1.0) * 100,
                    "unit": "%",
                    "budget": budget,
                    "note": f"{both[0] * 1e3:.1f} ms, {both[1] * 1e3:.1f} ms",
                }
            )
        later = float(np.median(theirs - ours)) * 1e3
        figure = f"{name}, {label}: median of later - sooner"
        table.append({"figure": figure, "value": later, "unit": "ms"})
    return table


def measured(alone: bool) -> list[dict[str, Any]]:
    """The wire before and after, the live run between them, and both comparisons."""
    rows = list(generated(msgspec.convert(SCENARIO, Scenario)))
    before = wire_s(rows)
    answers = live(rows)
    after = wire_s(rows)
    rtt_s = float(np.mean(before + after))
    # An engine may end an answer before its limit: the simulator gets the lengths that were made.
    made = [
        replace(row, output_tokens=answers[i].output_tokens if i in answers else row.output_tokens)
        for i, row in enumerate(rows)
    ]
    theirs = {
        i: (one.ttft_s, one.ttft_s + one.tpot_s * max(0, one.output_tokens - 1))
        for i, one in answers.items()
    }
    means = (float(np.mean(before)) * 1e3, float(np.mean(after)) * 1e3)
    table = [
        {
            "figure": "the wire: TTFT at an engine that takes no time, mean",
            "value": rtt_s * 1e3,
            "unit": "ms",
            "spread": (min(means), max(means)),
            "note": f"{len(before)} requests before the live run, as many after it",
        }
    ]
    table += compared(simulated(made, rtt_s), theirs, "wire as measured", "<= 5")
    table += compared(simulated(made, 0.0), theirs, "no wire", None)
    table.append({"figure": "requests compared", "value": len(theirs), "unit": f"of {len(rows)}"})
    return table


if __name__ == "__main__":
    builds.write("twin", measured)
