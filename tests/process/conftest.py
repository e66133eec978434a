"""What do process tests start: gateways as real processes, and small engines to put behind them?"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MAIN = "from flyball.cli import main; main()"
METRICS = b"vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n"


class Engine:
    """A tiny engine: `max_tokens` chunks `gap_s` apart; `metrics` = good, hang, garbage, slow."""

    def __init__(self, gap_s: float = 0.0) -> None:
        self.gap_s = gap_s
        self.metrics = "good"
        self.requests = 0
        self.under_way = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET"):
                    await self._tell(writer)
                    continue
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await self._answer(writer, json.loads(body))
        writer.close()

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        if self.metrics == "hang":
            await asyncio.sleep(60)
        if self.metrics == "slow":
            await asyncio.sleep(0.3)
        page = b"\x00\xff" if self.metrics == "garbage" else METRICS
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(page), page))
        await writer.drain()

    async def _answer(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        self.requests += 1
        self.under_way += 1
        try:
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            for _ in range(int(body.get("max_tokens", 1))):
                writer.write(_chunk(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'))
                await writer.drain()
                await asyncio.sleep(self.gap_s)
            writer.write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
        finally:
            self.under_way -= 1


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture
def engines() -> Iterator[Callable[..., list[Engine]]]:
    """Make so many engines, all on one thread of the test's process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers: list[asyncio.Server] = []

    def make(count: int, gap_s: float = 0.0) -> list[Engine]:
        made = [Engine(gap_s) for _ in range(count)]
        for engine in made:
            starting = asyncio.start_server(engine.connected, "127.0.0.1", 0)
            server = asyncio.run_coroutine_threadsafe(starting, loop).result(5)
            engine.port = server.sockets[0].getsockname()[1]
            servers.append(server)
        return made

    yield make
    for server in servers:
        loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


class Gateway:
    """A `flyball serve` process, in a process group of its own."""

    def __init__(
        self, folder: Path, engines: list[Engine], extra: str, words: list[str], ledger: str = ""
    ) -> None:
        self.ledger = ledger
        self.file = folder / "fleet.yaml"
        self.log = folder / "log"
        self.extra = extra
        self.write(engines)
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "serve", str(self.file), "--port", "0", *words],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.port = int(self.until(r"serves https?://127.0.0.1:(\d+)/"))

    def write(self, engines: list[Engine], extra: str | None = None) -> None:
        """(Re)write the fleet file."""
        urls = ", ".join(engine.url for engine in engines)
        self.file.write_text(
            "version: v1\n"
            "sites: {s: {jurisdiction: NO}}\n"
            "pools:\n"
            "  p: {site: s, engine: vllm, profile: h100/llama-3.1-8b, models: [m],\n"
            f"      endpoints: [{urls}]}}\n"
            "classes: {c: {value_usd: 0.01}}\n"
            f"ledger:\n  folder: log\n{self.ledger}" + (self.extra if extra is None else extra)
        )

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def told(self) -> str:
        return "".join(self.lines)

    def until(self, pattern: str, seconds: float = 30.0) -> str:
        """Wait for a line on stderr; the first group of the pattern, or the match."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if found := re.search(pattern, self.told):
                return found[1] if found.groups() else found[0]
            if self.process.poll() is not None:
                self.reader.join(2)
                found = re.search(pattern, self.told)
                if found:
                    return found[1] if found.groups() else found[0]
                break
            time.sleep(0.01)
        raise AssertionError(f"{pattern!r} was not told:\n{self.told}")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, tokens: int = 1, on: socket.socket | None = None) -> bytes:
        """One streamed chat request; the whole answer."""
        sock = on or self.connect()
        send(sock, tokens)
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            part = sock.recv(65536)
            if not part:
                break
            answer += part
            if b"content-length:" in answer.lower() and answer.partition(b"\r\n\r\n")[2]:
                break
        if on is None:
            sock.close()
        return answer

    def page(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            body = answer.read()
        return body.decode() if path == "/metrics" else json.loads(body)

    def children(self) -> list[int]:
        """The pids of its workers."""
        task = Path(f"/proc/{self.process.pid}/task")
        kids: set[int] = set()
        for thread in task.iterdir():
            kids.update(int(pid) for pid in (thread / "children").read_text().split())
        return sorted(kids)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 20.0) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.reader.join(2)
        return code


def send(sock: socket.socket, tokens: int) -> None:
    body = json.dumps(
        {
            "model": "m",
            "stream": True,
            "max_tokens": tokens,
            "messages": [{"role": "user", "content": "hello"}],
        }
    ).encode()
    sock.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start a gateway; whatever is left of its group is killed at the end."""
    started: list[Gateway] = []

    def start(
        engines: list[Engine], *words: str, workers: int = 1, extra: str = "", ledger: str = ""
    ) -> Gateway:
        found = Gateway(tmp_path, engines, extra, [*words, "--workers", str(workers)], ledger)
        started.append(found)
        return found

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait(5)


@pytest.fixture
def worker_of() -> Callable[[bytes], int]:
    """The worker that made this answer's request id."""
    return lambda answer: int(
        re.search(rb"request-id: req_[0-9a-f]{11}([0-9a-f]{2})", answer)[1], 16
    )


@pytest.fixture
def shares() -> Callable[[list[Engine]], Counter[int]]:
    """Requests that each engine took."""
    return lambda found: Counter({number: e.requests for number, e in enumerate(found)})
