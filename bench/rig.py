"""How are load, mock engines and a contestant put on their cores, and what did a run cost?

The contestant has one core with all its processes; mock engines and load generator have another
(the same, where there is only one). CPU time is read from /proc/PID/stat, so that what others do on
this machine spoils the rates more than the cost per request.
"""

import json
import os
import random
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BINARIES = HERE / "bin"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
CONTESTANT_CORE = CORES[0]
LOAD_CORE = CORES[-1]
KEY = f"sk-{secrets.token_hex(24)}"
READY_S_MAX = 90.0
STOP_S_MAX = 8.0
MODEL = "mock"


class RigFault(Exception):
    """A run that says nothing; the message says why."""


@dataclass(frozen=True)
class Run:
    """One run of the load generator; times in µs, `cpu_s` = of the contestant, all processes."""

    seconds: float
    ok: int
    good: int
    other: int
    faults: int
    body_bytes: int
    p50_us: float
    p99_us: float
    cpu_s: float
    foreign: float
    """Share of the contestant's core that others took meanwhile."""

    @property
    def per_s(self) -> float:
        """Complete good answers a second."""
        return self.ok / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU µs of the contestant per good answer."""
        return self.cpu_s / self.ok * 1e6 if self.ok else float("nan")


def build(name: str) -> Path:
    """The program made of `load/NAME.c`, compiled if its source is newer. Raises RigFault."""
    source, binary = HERE / "load" / f"{name}.c", BINARIES / name
    if binary.is_file() and binary.stat().st_mtime > source.stat().st_mtime:
        return binary
    BINARIES.mkdir(exist_ok=True)
    words = ["gcc", "-O2", "-Wall", "-Wextra", "-o", str(binary), str(source), "-lm"]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError:
        raise RigFault("gcc is not installed; the load generator needs it") from None
    if done.returncode:
        raise RigFault(f"{source.name} does not compile: {done.stderr.strip()[:500]}")
    return binary


def free_ports(count: int) -> int:
    """The first of `count` neighbouring free ports, below those that the kernel hands out."""
    for _ in range(200):
        first = random.randrange(12_000, 32_000 - count)
        probes = [socket.socket() for _ in range(count)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise RigFault(f"no {count} neighbouring free ports")


@contextmanager
def engines(
    count: int, interval_us: int = 0, core: int = LOAD_CORE
) -> Iterator[tuple[int, list[int]]]:
    """Mock engines: the pid of the one process that is all of them, and their ports."""
    first = free_ports(count)
    words = [str(build("upstream")), "--port", str(first), "--count", str(count)]
    words += ["--interval-us", str(interval_us)]
    process = subprocess.Popen(pinned(words, core), stdout=subprocess.PIPE, start_new_session=True)
    try:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise RigFault("the mock engines did not start")
        yield process.pid, list(range(first, first + count))
    finally:
        process.kill()
        process.wait()


@contextmanager
def contestant(words: list[str], port: int, folder: Path, body: Path) -> Iterator[int]:
    """Run a contestant until the end of the block; its pid, once it answers `body` with 200.

    Raises RigFault with the end of its own words if it does not.
    """
    log = folder / "contestant.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            pinned(words, CONTESTANT_CORE),
            stdout=out, stderr=out, cwd=folder, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_ready(process, port, body, log)
        yield process.pid
    finally:
        _stop(process)


def load(
    port: int, body: Path, seconds: float, connections: int,
    rate: float = 0.0, pid: int = 0, good_s: float = 3600.0,
) -> Run:  # fmt: skip
    """Load it, and read what the processes of `pid`'s session spent meanwhile.

    `rate` 0 = closed loop, otherwise requests a second; `good_s` = what a good answer may take.
    Raises RigFault.
    """
    words = [str(build("load")), "--port", str(port), "--body", str(body), "--key", KEY]
    words += ["--seconds", str(seconds), "--connections", str(connections), "--rate", str(rate)]
    words += ["--good-us", str(round(good_s * 1e6))]
    own, busy, begun = cpu_s(pid), core_busy_s(CONTESTANT_CORE), time.monotonic()
    done = subprocess.run(pinned(words, LOAD_CORE), capture_output=True, text=True)
    own, busy = cpu_s(pid) - own, core_busy_s(CONTESTANT_CORE) - busy
    took = time.monotonic() - begun
    if done.returncode:
        raise RigFault(done.stderr.strip() or "the load generator failed")
    found: dict[str, Any] = json.loads(done.stdout)
    return Run(
        seconds=found["seconds"], ok=found["ok"], good=found["good"], other=found["other"],
        faults=found["faults"], body_bytes=found["body_bytes"],
        p50_us=found["p50_us"], p99_us=found["p99_us"],
        cpu_s=own, foreign=max(0.0, (busy - own) / took),
    )  # fmt: skip


def pinned(words: list[str], core: int) -> list[str]:
    """The same command on one core."""
    return ["taskset", "-c", str(core), *words]


def session(pid: int) -> list[int]:
    """All processes of the session that `pid` leads."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if len(fields) > 3 and int(fields[3]) == pid:
                found.append(int(entry.name))
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of all processes of the session, their ended children included; 0 = no pid.

    Fields 14 to 17 of /proc/PID/stat, proc(5).
    """
    if not pid:
        return 0.0
    ticks = 0
    for one in session(pid):
        fields = _stat(one)
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident megabytes of all processes of the session."""
    total = 0
    for one in session(pid):
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except OSError:
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def core_busy_s(core: int) -> float:
    """Seconds that a core was busy, since the machine's start (proc(5), /proc/stat)."""
    for line in Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if words[0] == f"cpu{core}":
            return (sum(map(int, words[1:4])) + sum(map(int, words[6:9]))) / TICKS_PER_S
    return 0.0


def middle(values: Sequence[float]) -> float:
    """The median; NaN of nothing."""
    return statistics.median(values) if values else float("nan")


def spread(values: Sequence[float], digits: int = 1) -> list[float]:
    """Least and most."""
    return [round(min(values), digits), round(max(values), digits)] if values else []


def say(text: str) -> None:
    """Narration goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat from field 3 on; [] = it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def _wait_ready(process: subprocess.Popen[bytes], port: int, body: Path, log: Path) -> None:
    until = time.monotonic() + READY_S_MAX
    last = "no answer"
    while time.monotonic() < until:
        if process.poll() is not None:
            last = f"exit code {process.returncode}"
            break
        try:
            status = _ask(port, body)
            if status == 200:
                return
            last = f"status {status}"
        except OSError as fault:
            last = str(fault)
        time.sleep(0.1)
    tail = " ".join(log.read_text(errors="replace").split())[-200:]
    raise RigFault(f"it did not become ready ({last}): {tail}")


def _ask(port: int, body: Path) -> int:
    """Status of one request on a connection of its own; 0 = garbage."""
    data = body.read_bytes()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {KEY}\r\n"
        f"Connection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + data)
        words = connection.recv(65536).split(b" ", 2)
    return int(words[1]) if len(words) == 3 and words[1].isdigit() else 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole session that we started."""
    members = session(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for one in members:
        if one in session(process.pid):
            os.kill(one, signal.SIGKILL)
