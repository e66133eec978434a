"""How many spans and samples does `flyball diagnose` read in a second, and in how much memory?

Files are generated with a fixed seed: spans as the GenAI conventions ask for them (ten attributes;
`ours` = also attempts, context, candidates with chances, 16 attributes), 200 to an export, JSON
lines and length-prefixed protobuf; metrics as lines of `promtool tsdb dump` (200 series). Each file
is read in a process of its own by the command's own path: reading, sums, all detectors. Rates are
by CPU time, on one core; `10 M spans` is that rate carried forward, not a run of 10 M spans.
Memory is the process's peak; of two sizes, to show whether it grows with the number of spans.

There is no rival row: no public tool known to us reads spans into loops' signals.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import report
from flyball.cli import diagnose_sources as sources
from flyball.cli.diagnose_detect import of_told
from flyball.dialects.telemetry.csvmap import MapFile

T0 = 1_800_000_000
HOURS = 6.0
BATCH = 200
SERIES = 200
SEED = 7
Rows = list[dict[str, Any]]


def attributes(i: int, chance: random.Random, is_ours: bool) -> dict[str, Any]:
    """What one span says."""
    pool = "fast" if chance.random() < 0.7 else "slow"
    given = chance.randrange(100, 4000)
    said: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": given,
        "gen_ai.usage.output_tokens": chance.randrange(20, 900),
        "gen_ai.usage.cache_read.input_tokens": given // 2,
        "gen_ai.response.time_to_first_chunk": 0.1 + chance.random(),
        "gen_ai.conversation.id": f"c{i % 999}",
        "server.address": pool,
    }
    if is_ours:
        said |= {
            "flyball.decision.id": f"req_{i}",
            "flyball.attempt.n": 1 + (chance.random() < 0.1),
            "flyball.context.tokens_offered": given,
            "flyball.context.tokens_kept": given,
            "flyball.route.candidates": ["fast=0.7", "slow=0.3"],
            "flyball.in_time": chance.random() < 0.95,
        }
    return said


def value(said: Any) -> dict[str, Any]:
    """As OTLP's JSON has it."""
    if isinstance(said, bool):
        return {"boolValue": said}
    if isinstance(said, list):
        return {"arrayValue": {"values": [value(one) for one in said]}}
    if isinstance(said, int):
        return {"intValue": str(said)}
    return {"doubleValue": said} if isinstance(said, float) else {"stringValue": said}


def exports(count: int, is_ours: bool) -> Iterator[dict[str, Any]]:
    """The spans of a run, an export at a time."""
    chance = random.Random(SEED)
    for first in range(0, count, BATCH):
        spans = []
        for i in range(first, min(first + BATCH, count)):
            begin = int((T0 + HOURS * 3600 * i / count) * 1e9)
            told = attributes(i, chance, is_ours).items()
            spans.append(
                {
                    "traceId": f"{i:032x}",
                    "spanId": f"{i:016x}",
                    "name": "chat m",
                    "startTimeUnixNano": str(begin),
                    "endTimeUnixNano": str(begin + chance.randrange(10**9, 9 * 10**9)),
                    "attributes": [{"key": key, "value": value(said)} for key, said in told],
                }
            )
        yield {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def as_lines(path: Path, count: int, is_ours: bool) -> None:
    """JSON, an export a line."""
    with path.open("w") as out:
        for one in exports(count, is_ours):
            out.write(json.dumps(one, separators=(",", ":")) + "\n")


def as_protobuf(path: Path, count: int, is_ours: bool) -> None:
    """Messages behind their lengths."""
    from google.protobuf import json_format
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    with path.open("wb") as out:
        for one in exports(count, is_ours):
            for span in one["resourceSpans"][0]["scopeSpans"][0]["spans"]:
                del span["traceId"], span["spanId"]
            message = json_format.ParseDict(one, TracesData()).SerializeToString()
            out.write(len(message).to_bytes(4, "big") + message)


def as_dump(path: Path, count: int, is_ours: bool) -> None:
    """Lines of a dump; every other series is of a metric that nobody knows."""
    del is_ours
    chance = random.Random(SEED)
    with path.open("w") as out:
        for series in range(SERIES):
            name = "vllm:num_requests_running" if series % 2 else "go_goroutines"
            head = f'{{__name__="{name}", instance="e{series}", pool="p{series % 4}"}}'
            for i in range(count // SERIES):
                out.write(f"{head} {chance.randrange(99)} {(T0 + 10 * i) * 1000}\n")


def read(path: Path, is_dump: bool, answer: Any) -> None:
    """In a process of its own: CPU seconds and the peak of memory."""
    begin = time.process_time()
    source = sources.dump if is_dump else sources.spans
    told = source(path, sources.Reading(), lambda _: None)
    of_told(told, sources.whole(told, MapFile(version="v1")), lambda _: None)
    spent = time.process_time() - begin
    answer.put((spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def measured(write: Callable[[Path, int, bool], None], count: int, is_ours: bool) -> Any:
    """CPU seconds and MiB of one file."""
    context = get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path, count, is_ours)
        answer = context.Queue()
        process = context.Process(target=read, args=(path, write is as_dump, answer))
        process.start()
        found = answer.get(timeout=600)
        process.join()
    return found


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=100_000)
    count = parser.parse_args().spans
    print(f"seed {SEED}, {count:,} spans over {HOURS:g} h", file=sys.stderr, flush=True)
    rows: Rows = []
    kinds = (
        ("JSON", as_lines, False),
        ("JSON, ours", as_lines, True),
        ("protobuf", as_protobuf, False),
    )
    for name, write, is_ours in kinds:
        spent, peak = measured(write, count, is_ours)
        rate = count / spent
        note = f"10 M spans: {1e7 / rate:.0f} s at this rate (300 s aimed at)"
        rows.append({"figure": f"spans, {name}", "value": rate, "unit": "spans/CPU-s",
                     "budget": 33_333, "note": note})  # fmt: skip
        rows.append({"figure": f"peak memory, {name}", "value": peak, "unit": "MiB"})
    _, peak = measured(as_lines, 3 * count, False)
    rows.append({"figure": "peak memory, JSON, three times as many", "value": peak, "unit": "MiB"})
    spent, peak = measured(as_dump, 10 * count, False)
    note = f"{SERIES} series, half of them of known metrics"
    rows.append({"figure": "samples of a dump", "value": 10 * count / spent,
                 "unit": "samples/CPU-s", "note": note})  # fmt: skip
    rows.append({"figure": "peak memory, dump", "value": peak, "unit": "MiB"})
    report.write("diagnose", rows)


if __name__ == "__main__":
    main()
