"""Does `flyball replay` send a trace to a real server and say plainly what came of it?"""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from flyball.cli.replay import command

REPLY = (
    b'data: {"choices":[{"delta":{"content":" and"}}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
    b"data: [DONE]\n\n"
)
STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(REPLY)
    + REPLY
)
MODELS = b'{"object":"list","data":[{"id":"tiny"}]}'
TABLE = b"arrival_s,input_tokens,output_tokens,class_name\n" + b"".join(
    b"%f,20,3,%b\n" % (i * 0.5, b"edge" if i % 4 == 0 else b"chat") for i in range(40)
)


class Server(asyncio.Protocol):
    """Answers each request at once: a model list, or a stream of two tokens."""

    seen: list[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.held = b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        while b"\r\n\r\n" in self.held:
            head, _, rest = self.held.partition(b"\r\n\r\n")
            sizes = [line for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
            size = int(sizes[0].split(b":")[1]) if sizes else 0
            if len(rest) < size:
                return
            self.held = rest[size:]
            self.seen.append(head)
            if head.startswith(b"GET"):
                answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(MODELS) + MODELS
            else:
                answer = STREAM
            self.transport.write(answer)  # type: ignore[attr-defined]


@pytest.fixture
def served() -> Iterator[tuple[str, list[bytes]]]:
    """A URL and the heads of the requests that came to it."""
    loop = asyncio.new_event_loop()
    protocol = type("Seeing", (Server,), {"seen": []})
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0, backlog=1024))
    thread = Thread(target=loop.run_forever)
    thread.start()
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", protocol.seen  # type: ignore[attr-defined]
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Forty requests over 19.5 s, every fourth of class edge."""
    path = tmp_path / "t.csv"
    path.write_bytes(TABLE)
    return path


def _run(*words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_a_table_with_classes(served: tuple[str, list[bytes]], trace: Path) -> None:
    url, seen = served
    result = _run(trace, "--url", url, "--speed", 100, "--slo", "ttft=10s", "--slo", "edge:e2e=1ms")
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert rows["total"][1:3] == ["40", "40"]
    assert (rows["chat"][1], rows["edge"][1]) == ("30", "10")
    assert rows["chat"][5] == "100.0%"
    assert "asking for 'tiny'" in result.stderr
    assert "40 requests over 19.5 s" in result.stderr
    assert sum(b"x-flyball-class: edge" in head for head in seen) == 10


def test_json_and_rows(served: tuple[str, list[bytes]], trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    result = _run(
        trace, "--url", served[0], "--model", "m", "--rate", 400, "--out", out,
        "--class-by", "length", "-o", "json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["total"]["answered"] == 40
    assert [one["name"] for one in report["classes"]] == ["short"]
    assert report["duration_s"] < 2
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(row["number"] for row in rows) == list(range(40))
    assert {row["result"] for row in rows} == {"answered"}


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (("--limit", 7), 7),
        (("--tail", 5), 5),
        (("--duration", 0.05), 10),
        (("--class", "batch"), 40),
    ],
)
def test_parts(
    served: tuple[str, list[bytes]], trace: Path, words: tuple[object, ...], sent: int
) -> None:
    result = _run(trace, "--url", served[0], "--speed", 100, "--model", "m", *words)
    assert result.exit_code == 0, result.output
    assert len(served[1]) == sent
    if words[0] == "--class":
        assert all(b"x-flyball-class: batch" in head for head in served[1])


def test_generated(served: tuple[str, list[bytes]]) -> None:
    words = ("--duration", 0.5, "--rate", 100, "--mix", "edge=0.5,chat=0.5", "--model", "m")
    result = _run("generated", "--url", served[0], *words)
    assert result.exit_code == 0, result.output
    assert 20 < len(served[1]) < 90


def test_nothing_answered_is_exit_1(trace: Path) -> None:
    words = ("--url", "http://127.0.0.1:9", "--model", "m", "--limit", 2, "--class-by", "none")
    result = _run(trace, *words)
    assert result.exit_code == 1
    assert "connect 2" in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--speed", "2", "--rate", "3"), 2, "--speed or --rate, not both"),
        (("--slo", "ttft=1"), 2, "'ttft=1' is not a bound"),
        (("--url", "http://127.0.0.1:9"), 2, "does not answer"),
        (("--url", "gopher://x", "--model", "m"), 2, "is not a URL"),
        (("--format", "azure", "--model", "m"), 2, "t.csv:1: no column TIMESTAMP"),
        (("--out", "x.csv", "--model", "m"), 2, "must end in .jsonl or .parquet"),
        (("--keep", "0.0001", "--model", "m"), 2, "no request is left to send"),
    ],
)
def test_mistakes_are_told(trace: Path, words: tuple[str, ...], code: int, said: str) -> None:
    result = _run(trace, *words)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_verify_log_without_a_log(
    served: tuple[str, list[bytes]], trace: Path, tmp_path: Path
) -> None:
    words = ("--speed", 1000, "--model", "m", "--verify-log", tmp_path)
    result = _run(trace, "--url", served[0], *words)
    assert result.exit_code == 2
    assert "There is no log in" in result.stderr


def test_interrupt_prints_what_there_is(served: tuple[str, list[bytes]], trace: Path) -> None:
    words = ["replay", str(trace), "--url", served[0], "--model", "m", "-o", "json"]
    child = subprocess.Popen(
        [sys.executable, "-c", "from flyball.cli import main; main()", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    until = time.monotonic() + 20
    while len(served[1]) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=20)
    assert child.returncode == 0, stderr
    report = json.loads(stdout)
    assert report["interrupted"] is True
    assert 2 <= report["total"]["answered"] < 40


def test_the_real_hour_without_a_loss(served: tuple[str, list[bytes]], real_data: Path) -> None:
    path = real_data / "azure_llm_2023_conv" / "AzureLLMInferenceTrace_conv.csv.gz"
    words = ("--speed", 400, "--model", "m", "--output-max", 4, "-o", "json")
    result = _run(path, "--url", served[0], *words)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["total"]["sent"], report["total"]["answered"]) == (19_366, 19_366)
    assert len(served[1]) == 19_366


def test_packed_trace(served: tuple[str, list[bytes]], tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(TABLE)[:-9])
    result = _run(path, "--url", served[0], "--model", "m")
    assert result.exit_code == 2
    assert "cut short or damaged" in result.stderr
