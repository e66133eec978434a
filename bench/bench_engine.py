"""How many requests a second does the plant simulate, and how many does the emulated engine serve?

The plant's load: chat lengths and rate as published for one hour of a large chat service (means
1,155 tokens in, 211 out, 5.53 requests/s; Azure LLM inference trace 2023), drawn log-normal from a
fixed seed. Rival: the same engine step by step (`sim/oracle.py`), on the first part of the load.
"""

import asyncio
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import report
from flyball.dialects.profiles import profile
from flyball.model.plant import Job
from flyball.sim import oracle
from flyball.sim.engine import Engine

ROUNDS = 5
CONNECTIONS = 64
Load = list[tuple[float, Job]]


def draw_load(count: int, rate_per_s: float) -> Load:
    chance = random.Random(1)
    at, load = 0.0, []
    for i in range(count):
        at += chance.expovariate(rate_per_s)
        tokens = min(14_000, max(1, int(chance.lognormvariate(6.55, 1.0))))
        answer = min(1_500, max(1, int(chance.lognormvariate(5.05, 0.8))))
        load.append((at, Job(str(i), tokens, answer)))
    return load


def simulate(load: Load) -> None:
    engine = Engine(profile("h100/llama-3.1-8b"), prefix_cache=False)
    for at, job in load:
        engine.submit(at, job)
    engine.advance(math.inf)


def rate(load: Load, run: Callable[[Load], object]) -> tuple[float, float]:
    """Median requests per second, and the spread of the rounds as a share of it."""
    rates = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        run(load)
        rates.append(len(load) / (time.perf_counter() - begun))
    middle = statistics.median(rates)
    return middle, (max(rates) - min(rates)) / middle


def bench_plant() -> list[dict[str, object]]:
    rows = []
    for times in (1, 4):
        load = draw_load(10_000, 5.53 * times)
        value, spread = rate(load, simulate)
        part = load[:300]
        steps, _ = rate(part, lambda some: oracle.replay(profile("h100/llama-3.1-8b"), some))
        events, _ = rate(part, simulate)
        row = {
            "figure": f"one replica, {5.53 * times:.1f} requests/s of simulated time",
            "value": round(value),
            "unit": "simulated req/s",
            "spread": round(spread, 3),
            "rival": "the same engine step by step, first 300 requests",
            "ratio": round(events / steps, 1),
            "budget": 200_000,
            "note": "one core",
        }
        rows.append(row)
    return rows


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask_again(port: int, request: bytes, count: int) -> int:
    """Send one request `count` times over one connection; the number of streamed events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    events = 0
    for _ in range(count):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"chunked" not in head:
            size = int(head.split(b"content-length: ")[1].split(b"\r")[0])
            await reader.readexactly(size)
            continue
        while size := int(await reader.readline(), 16):
            events += (await reader.readexactly(size + 2)).count(b"data: ")
        await reader.readexactly(2)
    writer.close()
    return events


def bench_emulator(stream: bool, count: int) -> dict[str, object]:
    """CPU time of the emulator only: the load generator runs on the other core."""
    flyball = str(Path(sys.executable).with_name("flyball"))
    process = subprocess.Popen(
        [flyball, "engine", "--port", "0", "--time-scale", "1e6"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2])
    asked = {
        "model": "llama-3.1-8b", "stream": stream, "ignore_eos": True, "max_tokens": 200,
        "messages": [{"role": "user", "content": "x" * 1500}],
    }  # fmt: skip
    body = json.dumps(asked).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: "
    request = f"{head}{len(body)}\r\n\r\n".encode() + body

    async def load() -> int:
        each = count // CONNECTIONS
        return sum(
            await asyncio.gather(*(ask_again(port, request, each) for _ in range(CONNECTIONS)))
        )

    used, begun = cpu_s(process.pid), time.perf_counter()
    events = asyncio.run(load())
    wall_s, used = time.perf_counter() - begun, cpu_s(process.pid) - used
    process.terminate()
    process.wait()
    done = events if stream else count
    return {
        "figure": "emulator, streamed chunks" if stream else "emulator, 1.5 KB chat, not streamed",
        "value": round(done / used), "unit": "chunks/CPU-s" if stream else "req/CPU-s",
        "spread": None, "rival": None, "ratio": None, "budget": None if stream else 2_000,
        "note": f"{done / wall_s:,.0f} a second by the wall, {CONNECTIONS} connections",
    }  # fmt: skip


if __name__ == "__main__":
    report.write(
        "engine", [*bench_plant(), bench_emulator(False, 6_400), bench_emulator(True, 640)]
    )
