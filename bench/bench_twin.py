"""How far apart are the emulated engine over HTTP and the simulator, on one trace?

The same requests go to `flyball engine` in real time, over a socket, and through the simulated
world. Both move the same plant; what differs is the wire, the event loop and this machine's noise.
A difference that is the wire's own is the same number of milliseconds at any load.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

import report
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


def live(rows: list[TraceRow]) -> dict[int, Answer]:
    """What the emulator answered, by number."""
    flyball = str(Path(sys.executable).with_name("flyball"))
    process = subprocess.Popen(
        [flyball, "engine", "--profile", PROFILE, "--port", "0"],
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


def simulated(rows: list[TraceRow]) -> dict[int, tuple[float, float]]:
    """The same of the simulated world."""
    one = msgspec.convert(SCENARIO, Scenario)
    columns = run(one, *build(one), rows).columns
    times = zip(columns["ttft_s"].tolist(), columns["e2e_s"].tolist(), strict=True)
    return dict(enumerate(times))


def main() -> None:
    """Means and percentiles of both, and the median difference of single requests."""
    rows = list(generated(msgspec.convert(SCENARIO, Scenario)))
    answers = live(rows)
    # An engine may end an answer before its limit: the simulator gets the lengths that were made.
    made = [
        replace(row, output_tokens=answers[i].output_tokens if i in answers else row.output_tokens)
        for i, row in enumerate(rows)
    ]
    ours, both = simulated(made), sorted(answers)
    theirs = {
        i: (one.ttft_s, one.ttft_s + one.tpot_s * max(0, one.output_tokens - 1))
        for i, one in answers.items()
    }
    table: list[dict[str, Any]] = []
    for place, name in enumerate(("TTFT", "E2E")):
        sim = np.array([ours[number][place] for number in both])
        wire = np.array([theirs[number][place] for number in both])
        for label, figure in (
            ("mean", np.mean),
            ("p50", lambda values: np.percentile(values, 50)),
            ("p99", lambda values: np.percentile(values, 99)),
        ):
            gap = float(figure(wire) / figure(sim) - 1.0) * 100
            table.append(
                {
                    "figure": f"{name} {label}: emulator over HTTP against simulator",
                    "value": abs(gap),
                    "unit": "%",
                    "budget": "<= 5",
                    "note": f"{figure(wire) * 1e3:.1f} ms, {figure(sim) * 1e3:.1f} ms",
                }
            )
        later = float(np.median(wire - sim)) * 1e3
        table.append({"figure": f"{name}: median of later - sooner", "value": later, "unit": "ms"})
    table.append({"figure": "requests compared", "value": len(both), "unit": f"of {len(rows)}"})
    report.write("twin", table)


if __name__ == "__main__":
    main()
