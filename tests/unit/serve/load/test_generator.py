"""Is load sent at its times, whatever the server does, and is every request accounted for?

The server is a real one on a socket: it answers by the path of the script it is given.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest
import uvloop

from flyball.dialects.traces.row import TraceRow
from flyball.model.request import Promise
from flyball.serve.load.generator import Answer, Progress, Target, run_load

CHUNK = b'data: {"choices":[{"delta":{"content":" and"}}]}\n\n'
USAGE = (
    b'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,'
    b'"prompt_tokens_details":{"cached_tokens":4}}}\n\n'
)
DONE = b"data: [DONE]\n\n"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _refusal(status: int, code: str, more: bytes = b"") -> bytes:
    body = json.dumps({"error": {"code": code, "message": "no", "type": "t"}}).encode()
    head = b"HTTP/1.1 %d No\r\ncontent-length: %d\r\n%b\r\n" % (status, len(body), more)
    return head + body


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs an async test on the loop that the command uses."""

    @wraps(test)
    def run(*given: object, **named: object) -> None:
        uvloop.run(test(*given, **named))

    return run


class Engine:
    """A streaming server; `script` says how each request in turn is answered (then "ok")."""

    def __init__(self, *script: str, pause_s: float = 0.0) -> None:
        self.script = list(script)
        self.pause_s = pause_s
        self.seen: list[tuple[dict[str, str], dict[str, object]]] = []
        self.connections = 0
        self.open = self.open_most = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        self.seen.append((fields, body))
        how = self.script.pop(0) if self.script else "ok"
        self.open += 1
        self.open_most = max(self.open, self.open_most)
        await asyncio.sleep(self.pause_s)
        self.open -= 1
        if how == "drop":
            return False
        if how == "garbage":
            writer.write(b"what is this\r\n\r\n")
        elif how == "stall":
            await asyncio.sleep(30)
        elif how == "plain":
            answer = json.dumps({"usage": {"prompt_tokens": 12, "completion_tokens": 3}}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)
        elif how == "unframed":
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + CHUNK + DONE)
            return False
        elif how.isdigit():
            writer.write(_refusal(int(how), f"code_{how}", b"retry-after: 0\r\n"))
        else:
            return await self._stream(writer, how)
        return how != "garbage"

    async def _stream(self, writer: asyncio.StreamWriter, how: str) -> bool:
        writer.write(SSE + b"x-flyball-request-id: req_%d\r\n\r\n" % len(self.seen))
        whole = CHUNK * 3
        writer.write(_piece(b": hello\n\n" + whole[:30]))
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(_piece(whole[30:]))
        if how == "cut":
            await writer.drain()
            return False
        if how == "fault":
            writer.write(_piece(b'data: {"error":{"code":"engine_died"}}\n\n'))
        end = USAGE if how == "no-done" else USAGE + DONE
        writer.write(_piece(end) + b"0\r\n\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def serving(engine: Engine) -> AsyncIterator[str]:
    """The URL of `engine` on a port of its own."""
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def rows(count: int, gap_s: float = 0.0, **more: Any) -> list[TraceRow]:
    return [
        TraceRow(at_s=i * gap_s, input_tokens=12, output_tokens=3, model="m", **more)
        for i in range(count)
    ]


@in_loop
async def test_streams_are_sent_and_timed() -> None:
    engine = Engine()
    answers: list[Answer] = []
    states: list[Progress] = []
    async with serving(engine) as url:
        target = Target(url=url + "/v1/", api_key="k", promises={"": Promise(ttft_s=5.0)})
        load = rows(5, 0.01, session="one two", class_name="chat")
        report = await run_load(load, target, states.append, answers.append)
    total = report.total
    assert (total.sent, total.answered, total.in_time) == (5, 5, 5)
    assert (total.input_tokens, total.cached_tokens, total.output_tokens) == (60, 20, 15)
    assert total.tpot.p50_s is not None and 0.005 < total.tpot.p50_s < 0.2
    assert [answer.request_id for answer in answers] == [f"req_{i}" for i in range(1, 6)]
    assert {answer.events for answer in answers} == {4}
    assert all(0 < answer.ttft_s < answer.e2e_s for answer in answers)
    fields, body = engine.seen[0]
    assert fields["authorization"] == "Bearer k"
    assert fields["x-flyball-class"] == "chat"
    assert fields["x-session-affinity"] == "one_two"
    assert body["model"] == "m" and body["max_tokens"] == 3
    assert body["stream_options"] == {"include_usage": True}
    assert len(body["messages"][0]["content"]) == 48  # type: ignore[index]
    assert states[-1].answered == 5 and states[-1].in_flight == 0


@pytest.mark.parametrize(
    ("how", "group", "code"),
    [
        ("429", "refused", "code_429"),
        ("503", "refused", "code_503"),
        ("400", "refused", "code_400"),
        ("502", "failed", "code_502"),
        ("drop", "failed", "reset"),
        ("garbage", "failed", "garbage"),
        ("cut", "failed", "early-close"),
        ("fault", "failed", "engine_died"),
        ("no-done", "failed", "cut-short"),
        ("stall", "failed", "timeout"),
    ],
)
@in_loop
async def test_what_went_wrong_is_named(how: str, group: str, code: str) -> None:
    engine = Engine(how)
    async with serving(engine) as url:
        report = await run_load(rows(2, 0.1), Target(url=url, timeout_s=0.4))
    assert getattr(report.total, group) == {code: 1}
    assert report.total.answered == 1
    assert report.total.in_time == 1


@pytest.mark.parametrize("how", ["plain", "unframed"])
@in_loop
async def test_answers_that_are_no_framed_stream_count(how: str) -> None:
    async with serving(Engine(how)) as url:
        report = await run_load(rows(1), Target(url=url))
    assert report.total.answered == 1, report.total.failed
    assert report.total.ttft.p50_s == pytest.approx(report.total.e2e.p50_s, abs=0.01)


@in_loop
async def test_nobody_listens() -> None:
    async with serving(Engine()) as url:
        pass
    report = await run_load(rows(3), Target(url=url))
    assert report.total.failed == {"connect": 3}
    assert report.connections == 0


@in_loop
async def test_the_loop_is_open() -> None:
    """Ten requests 10 ms apart to a server that takes 300 ms are all under way together."""
    engine = Engine(pause_s=0.3)
    async with serving(engine) as url:
        report = await run_load(rows(10, 0.01), Target(url=url))
    assert engine.open_most == 10
    assert report.total.answered == 10
    assert report.duration_s < 1.5


@in_loop
async def test_a_closed_loop_is_called_so() -> None:
    """With one connection the sends must wait: that is measured, and counts as latency."""
    engine = Engine(pause_s=0.1)
    async with serving(engine) as url:
        report = await run_load(rows(5), Target(url=url, concurrency_max=1))
    assert engine.open_most == 1
    assert not report.open_loop
    assert report.lag_s_max > 0.3
    assert report.total.e2e.p99_s is not None and report.total.e2e.p99_s > 0.4


@in_loop
async def test_retries_are_told_and_bounded() -> None:
    engine = Engine("503", "502", "ok", "400")
    async with serving(engine) as url:
        report = await run_load(rows(1), Target(url=url, retries=2))
        assert report.total.answered == 1
        assert report.total.retries == 2
        refused = await run_load(rows(1), Target(url=url, retries=2))
    counts = [fields.get("x-stainless-retry-count") for fields, _ in engine.seen]
    assert counts == [None, "1", "2", None]
    assert refused.total.refused == {"code_400": 1}


@in_loop
async def test_an_impatient_client_tries_again_and_the_last_try_tells() -> None:
    engine = Engine("stall", "ok", "stall", "stall")
    async with serving(engine) as url:
        target = Target(url=url, retries=1, patience_s={"all": 0.3})
        report = await run_load(rows(1), target)
        assert (report.total.answered, report.total.retries) == (1, 1)
        assert report.total.ttft.p50_s is not None and report.total.ttft.p50_s > 0.6
        lost = await run_load(rows(1), target)
    assert lost.total.failed == {"impatient": 1}


@in_loop
async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    engine = Engine("ok", "drop", "ok")
    async with serving(engine) as url:
        report = await run_load(rows(2, 0.2), Target(url=url))
    assert report.total.answered == 2
    assert (len(engine.seen), engine.connections) == (3, 2)


@in_loop
async def test_stopping_gives_a_partial_report() -> None:
    stop = asyncio.Event()
    engine = Engine("ok", "stall", "503")
    async with serving(engine) as url:
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, stop.set)
        target = Target(url=url, retries=3)
        load = [*rows(3, 0.1), TraceRow(at_s=60.0, input_tokens=1, output_tokens=1)]
        engine.script[2:] = ["503"] * 9
        report = await run_load(load, target, stop=stop)
    assert report.interrupted
    assert report.duration_s < 5
    assert (report.total.sent, report.total.answered, report.total.stopped) == (3, 1, 2)


@in_loop
async def test_no_rows_and_no_url() -> None:
    async with serving(Engine()) as url:
        report = await run_load([], Target(url=url))
    assert report.total.sent == 0
    assert report.total.ttft.p50_s is None
    with pytest.raises(ValueError, match="is not a URL"):
        await run_load([], Target(url="ftp://x"))


@in_loop
async def test_groups_and_promises() -> None:
    async with serving(Engine()) as url:
        promises = {"a": Promise(e2e_s=1e-6), "": Promise(e2e_s=60.0)}
        load = [*rows(2, class_name="a"), *rows(3, class_name="b")]
        report = await run_load(load, Target(url=url, promises=promises, send_class=False))
    assert {one.name: (one.sent, one.in_time) for one in report.classes} == {
        "a": (2, 0),
        "b": (3, 3),
    }
    assert report.total.goodput_ratio == pytest.approx(0.6)


@in_loop
async def test_requests_are_conserved_under_mixed_faults() -> None:
    engine = Engine(*(["ok", "429", "drop", "cut", "502", "fault"] * 20))
    count = 100
    seen: list[int] = []
    async with serving(engine) as url:
        report = await run_load(
            rows(count, 0.001), Target(url=url, retries=1),
            on_answer=lambda answer: seen.append(answer.number),
        )  # fmt: skip
    total = report.total
    ended = total.answered + sum(total.refused.values()) + sum(total.failed.values())
    assert ended == total.sent == count
    assert sorted(seen) == list(range(count))
