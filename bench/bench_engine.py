"""How many requests and streamed chunks does the emulated engine serve for a second of CPU time?

The emulator runs as `flyball engine`, a process of its own; the load generator uses another core.
(The plant inside it, without HTTP, is measured by `bench_plant.py`.)
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import report

CONNECTIONS = 64


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
    report.write("engine", [bench_emulator(False, 6_400), bench_emulator(True, 640)])
