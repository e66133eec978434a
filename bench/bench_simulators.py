"""How fast is the twin beside the simulators that others publish, on the same traces?

Each rival runs here, in an environment of its own (`python bench/rivals.py vidur dynamo`), with its
own rules and defaults; one that cannot be had says so in its row. Traces: the first 2,000 requests
of the Azure conversation hour on one replica, and the Mooncake conversation hour on eight with
prefix caches and a KV-aware router ($FLYBALL_DATA, default ../shared/data). CPU seconds of whole
runs; what each simulates of the world differs, and its note says what.
"""

import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

import builds
import rival_splitwise
import rivals
from flyball.dialects.traces.row import Tally, TraceRow
from flyball.serve.load import tracefile
from flyball.sim.build import build
from flyball.sim.run import run
from flyball.sim.scenario import Scenario

HERE = Path(__file__).parent
ROUNDS = 3
AZURE = "azure_llm_2023_conv/AzureLLMInferenceTrace_conv.csv.gz"
AZURE_ROWS = 2000
MOONCAKE = "mooncake_conversation/conversation_trace.jsonl.gz"
MOONCAKE_BLOCK_TOKENS = 512
PROFILE = "h100/llama-3.1-8b"
RIVAL_S_MAX = 300.0
CORES = ("least_request", "governor", "dynamo_kv")
SPLITWISE = "its rules in 150 lines, no package exists; its own code: 1,655/s elsewhere, 4 replicas"
VIDUR = "one replica; a linear step in place of its predictor: no training, no look-ups"
DYNAMO = "8 mocked engines, KV router, offline; published: 9,800/s (another trace, M4 laptop)"


def data(name: str) -> Path:
    """A file of the data sets; SystemExit where it is not."""
    root = os.environ.get("FLYBALL_DATA")
    path = (Path(root) if root else HERE.parents[1] / "shared" / "data") / name
    if not path.is_file():
        raise SystemExit(f"no {path}: set FLYBALL_DATA to the folder of data sets")
    return path


def ours(core: str, replicas: int, rows: list[TraceRow]) -> list[float]:
    """Calls per CPU second: clients, network, readings, checks and report included."""
    told: dict[str, Any] = {
        "version": "v1",
        "core": core,
        "duration_s": rows[-1].at_s + 1.0,
        "fleet": {
            "sites": {"here": {"rtt_ms": 2}},
            "pools": {"h100": {"site": "here", "profile": PROFILE, "replicas": replicas}},
        },
        "workload": {"trace": {"file": "-"}},
        "policy": {"pricing": {"solve_interval_s": 1.0}},
    }
    one = msgspec.convert(told, Scenario)
    fleet, policy = build(one)
    rates: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        calls = run(one, fleet, policy, rows).report.total.calls
        rates.append(calls / (time.process_time() - begun))
    return rates


def rival(name: str, *words: str) -> list[float]:
    """CPU seconds of each round. Raises rivals.Missing with the reason."""
    python = rivals.environment(name) / "bin" / "python"
    env = {**os.environ, "WANDB_MODE": "disabled", "DYN_LOG": "off"}
    spent: list[float] = []
    for _ in range(ROUNDS):
        line = [str(python), str(HERE / f"rival_{name}.py"), *words]
        try:
            done = subprocess.run(
                line, capture_output=True, text=True, timeout=RIVAL_S_MAX, env=env, check=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            last = str(error.stderr or "").strip().splitlines()[-1:] or [type(error).__name__]
            raise rivals.Missing(f"{name} did not run: {last[0][:120]}") from None
        spent.append(json.loads(done.stdout.splitlines()[-1])["cpu_s"])
    return spent


def row(figure: str, rates: list[float], **more: Any) -> dict[str, Any]:
    """One line of the table."""
    return {
        "figure": figure, "value": statistics.median(rates), "unit": "req/CPU-s",
        "spread": (min(rates), max(rates)),
    } | more  # fmt: skip


def rival_row(
    figure: str, note: str, requests: int, measure: Callable[[], list[float]]
) -> dict[str, Any]:
    """The rival's line, or the reason why it has no figure."""
    try:
        return row(figure, [requests / spent for spent in measure()], note=note)
    except rivals.Missing as reason:
        return {"figure": figure, "value": None, "unit": "req/CPU-s", "note": f"none: {reason}"}


def azure(folder: Path, alone: bool) -> list[dict[str, Any]]:
    """One replica: Vidur, splitwise-sim and ours."""
    rows = list(tracefile.rows(data(AZURE), "azure", Tally()))[:AZURE_ROWS]
    trace = folder / "azure.csv"
    lines = [f"d1,{one.at_s!r},{one.input_tokens},{one.output_tokens}\n" for one in rows]
    trace.write_text("Date,Time,PromptTokenCount,CompletionTokenCount\n" + "".join(lines))
    name = "Azure conversation, 1 replica"
    mine = [row(f"{name}: {core}", ours(core, 1, rows)) for core in CORES[:2]]
    if alone:
        return mine
    vidur = rival_row(f"{name}: Vidur", VIDUR, len(rows), lambda: rival("vidur", str(trace), "1"))
    rules = row(f"{name}: splitwise-sim's rules", splitwise(rows, 1), note=SPLITWISE)
    return [vidur, rules, *(against(one, vidur) for one in mine)]


def mooncake(folder: Path, alone: bool) -> list[dict[str, Any]]:
    """Eight replicas with prefix caches: Dynamo's replay and ours, its rule too; no sessions."""
    path = data(MOONCAKE)
    rows = [replace(one, session="") for one in tracefile.rows(path, "mooncake", Tally())]
    trace = folder / "mooncake.jsonl"
    trace.write_bytes(gzip.decompress(path.read_bytes()))
    name = "Mooncake conversation, 8 replicas"
    mine = [row(f"{name}: {core}", ours(core, 8, rows), budget=">= 20000") for core in CORES]
    if alone:
        return mine
    words = (str(trace), "8", str(MOONCAKE_BLOCK_TOKENS))
    dynamo = rival_row(f"{name}: Dynamo replay", DYNAMO, len(rows), lambda: rival("dynamo", *words))
    return [dynamo, *(against(one, dynamo) for one in mine)]


def against(told: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Our line with the rival's figure of this run beside it."""
    value = theirs["value"]
    if value is None:
        return told
    who = theirs["figure"].rpartition(": ")[2]
    return told | {"rival": f"{who}: {value:,.0f}", "ratio": told["value"] / value}


def splitwise(rows: list[TraceRow], replicas: int) -> list[float]:
    """Requests per CPU second of splitwise-sim's rules, written here for want of a package."""
    load = [(one.at_s, one.input_tokens, one.output_tokens) for one in rows]
    rates: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        rival_splitwise.simulate(load, replicas)
        rates.append(len(rows) / (time.process_time() - begun))
    return rates


def measured(alone: bool) -> list[dict[str, Any]]:
    """Every row; about two minutes, and one more for the other build, without rivals."""
    with tempfile.TemporaryDirectory() as folder:
        return [*azure(Path(folder), alone), *mooncake(Path(folder), alone)]


if __name__ == "__main__":
    builds.write("simulators", measured)
