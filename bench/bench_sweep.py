"""How long do a hundred configurations take, and how soon does a run begin?

The commands themselves, as a user starts them. A configuration is two minutes of chat on four
replicas, 30 requests a second: five loads, five promises, two cores, two
seeds. `JOBS=1` takes one core. Start-up is a run of one second of one idle replica, from the start
of the process to its end, with the import of everything.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import report

JOBS = int(os.environ.get("JOBS", "2"))
STARTS = 7
BUDGET_S = 300.0
SCENARIO: dict[str, Any] = {
    "version": "v1",
    "duration_s": 120,
    "warmup_s": 10,
    "fleet": {
        "sites": {"here": {"rtt_ms": 10}},
        "pools": {"h100": {"site": "here", "profile": "h100/llama-3.1-8b", "replicas": 4}},
        "classes": {"chat": {"ttft_ms": 1000, "tpot_ms": 60, "output_tokens_mean": 211}},
    },
    "workload": {"generate": {"rate": 30, "mix": {"chat": 1}}},
}
VARY = (
    "workload.load=0.6,0.8,1.0,1.2,1.4",
    "fleet.classes.chat.ttft_ms=300,500,800,1000,1500",
    "core=governor,least_request",
)


def flyball(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command; CalledProcessError if it fails."""
    line = [sys.executable, "-m", "flyball", *words]
    return subprocess.run(line, capture_output=True, text=True, check=True)


def swept(folder: Path) -> dict[str, Any]:
    """The row of the sweep."""
    file = folder / "chat.yaml"
    file.write_text(json.dumps(SCENARIO))
    words = [word for axis in VARY for word in ("--vary", axis)]
    words += ["--seeds", "2", "--jobs", str(JOBS), "--out", str(folder / "out")]
    begun = time.perf_counter()
    told = flyball("sweep", str(file), *words).stdout.splitlines()
    spent = time.perf_counter() - begun
    calls = sum(int(line.split(",")[4]) for line in told[1:])
    return {
        "figure": "100 configurations swept", "value": spent, "unit": "s", "budget": BUDGET_S,
        "note": f"{len(told) - 1} runs, {calls:,} calls measured, {JOBS} at a time "
        "(the budget is for two cores)",
    }  # fmt: skip


def begun(folder: Path) -> dict[str, Any]:
    """The row of the start-up."""
    small = {**SCENARIO, "duration_s": 1, "warmup_s": 0}
    small["workload"] = {"generate": {"rate": 0.1, "mix": {"chat": 1}}}
    file = folder / "one.yaml"
    file.write_text(json.dumps(small))
    spent: list[float] = []
    for _ in range(STARTS):
        start = time.perf_counter()
        flyball("sim", str(file))
        spent.append(time.perf_counter() - start)
    return {
        "figure": "start-up: the shortest run, from start to end", "unit": "s", "budget": 1.0,
        "value": statistics.median(spent), "spread": (min(spent), max(spent)),
        "rival": "Vidur trains its predictors first: minutes (> 9.5 min, as measured elsewhere)",
    }  # fmt: skip


def main() -> None:
    """Both rows; about a minute on two cores."""
    with TemporaryDirectory() as folder:
        rows = [begun(Path(folder)), swept(Path(folder))]
    report.write("sweep", rows)


if __name__ == "__main__":
    main()
