"""What does a client see, and the core hear, of engines that fail in every way?"""

import asyncio
import socket

import pytest

from flyball.governor.commands import Hold, Reject
from flyball.governor.events import AttemptFailed, DeadlinePassed, FleetChanged, Served
from flyball.governor.policy import Policy
from flyball.model.faults import Refusal
from flyball.model.request import RequestClass
from flyball.serve.config.limits import Limits
from flyball.serve.relay.wire import Access
from support.relay import (
    ANSWER,
    ANSWER_BODY,
    SSE_HEAD,
    STREAM_BODY,
    Engine,
    ScriptCore,
    bench,
    chunk,
    fleet_of,
    post,
    until,
)


def script(*writes: bytes, then_close: bool = True, first: int | None = None):
    """An engine that answers each request with these bytes; `first` = only that many requests."""

    async def serve(engine: Engine, reader, writer) -> None:
        while True:
            await engine.read(reader)
            for part in writes:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.01)
            if then_close:
                return

    return serve


GARBAGE: dict[str, tuple[bytes, ...]] = {
    "not HTTP": (b"hello there\r\n\r\n",),
    "binary": (b"\0\1\2\3\4\5\6\7\r\n\r\n",),
    "bad status": (b"HTTP/1.1 2x0 OK\r\n\r\n",),
    "bare LF": (b"HTTP/1.1 200 OK\ncontent-length: 0\n\n\r\n\r\n",),
    "two lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",),
    "both framings": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "bad length": (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",),
    "bad coding": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",),
    "bad first chunk": (SSE_HEAD + b"zz\r\n",),
    "endless head": (b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"a" * 70_000,),
    "switching protocols": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n",),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_reported_and_the_next_engine_asked(name: str) -> None:
    async def run() -> None:
        core = ScriptCore(2, attempts_max=2)
        async with bench(script(*GARBAGE[name], then_close=False), ANSWER, core=core) as made:
            status, fields, body = await made.ask(post())
            assert (status, body) == (200, ANSWER_BODY)
            assert fields["x-flyball-endpoint"] == "e1"
            (failed,) = core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed)
            assert (failed.cause, failed.started, failed.endpoint) == ("garbage", False, 0)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("writes", "cause"),
    [
        ((), "early-close"),
        ((b"HTTP/1.1 200",), "early-close"),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",), "early-close"),
        ((SSE_HEAD,), "early-close"),
    ],
)
def test_an_engine_that_closes_before_its_first_byte_is_replaced(writes, cause: str) -> None:
    async def run() -> None:
        core = ScriptCore(2, attempts_max=2)
        async with bench(script(*writes), ANSWER, core=core) as made:
            assert (await made.ask(post()))[0] == 200
            (failed,) = core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed)
            assert (failed.cause, failed.started) == (cause, False)

    asyncio.run(run())


def test_all_engines_down_is_a_clear_answer() -> None:
    async def run() -> None:
        core = ScriptCore(2, attempts_max=2)
        async with bench(ANSWER, ANSWER, core=core) as made:
            for engine in made.engines:
                engine.stop()
            await asyncio.sleep(0.05)
            status, fields, body = await made.ask(post())
            assert status == 502 and b"upstream_failed" in body
            assert fields["x-flyball-request-id"].startswith("req_")
            causes = [failed.cause for failed in core.seen(AttemptFailed)]
            assert causes == ["connect", "connect"]
            assert made.gateway.in_flight_count == 0

    asyncio.run(run())


def test_an_address_that_never_answers_fails_within_the_connect_bound() -> None:
    async def run() -> None:
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        await asyncio.sleep(0.05)
        async with bench(ANSWER, limits=Limits(connect_s_max=0.2)) as made:
            fleet = fleet_of([full.getsockname()[1]])
            made.gateway.replace_fleet(fleet, Policy(classes=(RequestClass(name="c"),)), "d")
            assert (await made.ask(post()))[0] == 502
            (failed,) = made.core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed) and failed.cause == "connect"
        for one in (*fillers, full):
            one.close()

    asyncio.run(run())


BUSY = (
    b"HTTP/1.1 %d Busy\r\ncontent-type: application/json\r\nretry-after: 7\r\n"
    b"content-length: 14\r\n\r\n" + b'{"error":"no"}'
)
BUSY_CHUNKED = (
    b"HTTP/1.1 %d Busy\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    + chunk(b'{"error":')
    + chunk(b'"no"}')
    + b"0\r\n\r\n"
)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("form", [BUSY, BUSY_CHUNKED])
def test_a_busy_engine_is_replaced_and_its_own_words_kept_if_none_answers(
    status: int, form: bytes
) -> None:
    async def run() -> None:
        busy = form % status
        core = ScriptCore(2, attempts_max=2)
        async with bench(busy, ANSWER, core=core) as made:
            assert (await made.ask(post()))[0] == 200
            (failed,) = core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed)
            assert (failed.cause, failed.status) == ("status", status)
            assert failed.retry_after_s == (7.0 if form is BUSY else 0.0)
        core = ScriptCore(2, attempts_max=2)
        async with bench(busy, busy, core=core) as made:
            got, fields, body = await made.ask(post())
            assert (got, body) == (status, b'{"error":"no"}')
            assert fields["x-flyball-endpoint"] == "e1"
            assert made.engines[0].connections == 1

    asyncio.run(run())


def test_an_engines_error_page_is_not_passed_on_as_an_api_answer() -> None:
    page = b"HTTP/1.1 502 X\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"

    async def run() -> None:
        async with bench(page) as made:
            status, fields, body = await made.ask(post())
            assert status == 502 and b"upstream_failed" in body
            assert fields["content-type"] == "application/json"

    asyncio.run(run())


def test_a_client_error_of_the_engine_passes_through() -> None:
    bad = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\nx-own: 1\r\n\r\nbad"

    async def run() -> None:
        async with bench(bad) as made:
            status, fields, body = await made.ask(post())
            assert (status, body, fields["x-own"]) == (400, b"bad", "1")
            (served,) = made.core.seen(Served)
            assert isinstance(served, Served) and served.status == 400

    asyncio.run(run())


@pytest.mark.parametrize("cut", ["between chunks", "inside a chunk", "by length", "killed"])
def test_an_answer_cut_off_midway_is_seen_as_such_by_the_client(cut: str) -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        if cut == "by length":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of")
        else:
            writer.write(SSE_HEAD + chunk(b"data: a\n\n"))
        if cut == "inside a chunk":
            writer.write(b"64\r\ndata: ha")
        await writer.drain()
        await asyncio.sleep(0.05)
        if cut == "killed":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()

    async def run() -> None:
        async with bench(serve, ANSWER, core=ScriptCore(2, attempts_max=2)) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            assert (await client.head())[0] == 200
            rest = await client.rest()
            assert not rest.endswith(b"0\r\n\r\n") and len(rest) < 600
            has_event = b"upstream_failed" in rest
            assert has_event == (cut in ("between chunks", "killed"))
            (failed,) = made.core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed) and failed.started
            assert failed.cause == ("reset" if cut == "killed" else "early-close")
            assert not made.engines[1].requests, "retried after bytes went to the client"
            assert made.gateway.in_flight_count == 0

    asyncio.run(run())


def test_garbage_in_the_middle_of_a_stream_ends_it() -> None:
    async def run() -> None:
        serve = script(SSE_HEAD + chunk(b"data: a\n\n"), b"zz\r\n", then_close=False)
        async with bench(serve) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            assert not (await client.rest()).endswith(b"0\r\n\r\n")
            (failed,) = made.core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed)
            assert (failed.cause, failed.started) == ("garbage", True)

    asyncio.run(run())


def test_a_stall_midway_is_found_and_told_in_the_stream() -> None:
    async def run() -> None:
        serve = script(SSE_HEAD + chunk(b"data: a\n\n"), then_close=False)
        async with bench(serve, limits=Limits(stall_s_max=0.2)) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            rest = await client.rest()
            assert b"data: a\n\n" in rest and b"stall" in rest
            (failed,) = made.core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed)
            assert (failed.cause, failed.started) == ("stall", True)

    asyncio.run(run())


def test_the_deadline_ends_a_request_to_the_millisecond() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        await reader.read(1)

    async def run() -> None:
        async with bench(serve, core=ScriptCore(deadline_s=0.010)) as made:
            for _ in range(5):
                assert (await made.ask(post()))[0] == 504
            late = [
                passed.at - arrived.at - 0.010
                for arrived, passed in zip(
                    [e for e in made.core.events if type(e).__name__ == "RequestArrived"],
                    made.core.seen(DeadlinePassed),
                    strict=True,
                )
            ]
            assert min(late) >= 0.0
            assert sorted(late)[2] < 0.005

    asyncio.run(run())


def test_hold_waits_and_a_rejected_request_keeps_its_connection() -> None:
    async def run() -> None:
        core = ScriptCore()
        core.on_arrival = lambda event: [Hold(event.request_id, event.at + 5.0)]
        async with bench(ANSWER, core=core) as made:
            client = await made.client()
            await client.send(post())
            await until(lambda: made.gateway.in_flight_count == 1)
            arrived = core.events[0]
            core.on_arrival = lambda event: [
                Reject(
                    event.request_id,
                    Refusal(code="price_above_value", detail="x", retry_after_s=1.2, price_usd=0.5),
                )
            ]
            other = await made.client()
            await other.send(post())
            status, fields, _ = await other.answer()
            assert (status, fields["retry-after"], fields["retry-after-ms"]) == (429, "2", "1200")
            assert fields["x-should-retry"] == "true"
            made.gateway._forward(core.forward(arrived.request_id))  # what a later event would do
            assert (await client.answer())[0] == 200
            core.on_arrival = lambda event: None
            await other.send(post())
            assert (await other.answer())[0] == 200

    asyncio.run(run())


def test_a_kept_connection_the_engine_closed_is_replaced_unseen() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(ANSWER)
        await engine.read(reader)
        writer.transport.abort()

    async def run() -> None:
        async with bench(serve) as made:
            client = await made.client()
            for _ in range(4):
                await client.send(post())
                assert (await client.answer())[0] == 200
            assert not made.core.seen(AttemptFailed)
            assert made.engines[0].connections == 4
            assert len(made.core.seen(Served)) == 4

    asyncio.run(run())


def test_an_answer_without_a_length_is_relayed_and_its_end_judged() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"

    async def run() -> None:
        whole = script(head + b"data: a\n\n", b"data: [DONE]\n\n")
        async with bench(whole) as made:
            assert (await made.ask(post(STREAM_BODY)))[2] == b"data: a\n\ndata: [DONE]\n\n"
        async with bench(script(head + b"data: a\n\n")) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            rest = await client.rest()
            assert b"data: a\n\n" in rest and not rest.endswith(b"0\r\n\r\n")
            (failed,) = made.core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed) and failed.cause == "early-close"

    asyncio.run(run())


def test_interim_answers_are_passed_over_and_bodies_without_bytes_understood() -> None:
    async def run() -> None:
        early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        async with bench(early + ANSWER) as made:
            assert (await made.ask(post()))[0] == 200
        async with bench(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as made:
            assert (await made.ask(post()))[2] == b""
        async with bench(b"HTTP/1.1 204 No Content\r\n\r\n") as made:
            client = await made.client()
            await client.send(post() * 2)
            assert (await client.head())[0] == 204 and (await client.head())[0] == 204

    asyncio.run(run())


def test_a_stream_is_relayed_byte_for_byte_and_its_usage_read() -> None:
    usage = b'data: {"usage":{"prompt_tokens":11,"completion_tokens":22}}\n\n'
    parts = [chunk(b"data: %d\n\n" % i) for i in range(50)]
    parts += [chunk(usage[:20]), chunk(usage[20:]), chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"]

    async def run() -> None:
        async with bench(script(SSE_HEAD, *parts, then_close=False)) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            wanted = b"".join(parts)
            assert await asyncio.wait_for(client.reader.readexactly(len(wanted)), 10) == wanted
            await until(lambda: len(made.core.seen(Served)) == 1)
            (served,) = made.core.seen(Served)
            assert isinstance(served, Served)
            assert (served.input_tokens, served.output_tokens) == (11, 22)
            assert served.output_bytes == len(wanted)

    asyncio.run(run())


def test_bytes_after_an_answer_never_reach_the_next_client() -> None:
    async def run() -> None:
        async with bench(ANSWER + ANSWER) as made:
            client = await made.client()
            for count in (1, 2, 3):
                await client.send(post())
                assert (await client.answer())[2] == ANSWER_BODY
                assert made.engines[0].connections == count, "a dirty connection was used again"

    asyncio.run(run())


def test_the_model_is_renamed_and_the_endpoints_own_key_sent() -> None:
    async def run() -> None:
        async with bench(ANSWER, served_model="org/real") as made:
            await made.ask(post(extra=b"Authorization: Bearer client\r\nCookie: a=b\r\n"))
            assert b'"model":"org/real"' in made.engines[0].requests[0]
            assert b"client" not in made.engines[0].requests[0]
        from flyball.serve.relay.sinks import Entrances

        own = Entrances(access={"e0": Access(key="own")}, tls={})
        async with bench(ANSWER, entrances=own) as made:
            await made.ask(post(extra=b"Authorization: Bearer client\r\n"))
            assert b"authorization: Bearer own" in made.engines[0].requests[0]
            assert b"client" not in made.engines[0].requests[0]
        passing = Entrances(access={"e0": Access(forwards_client_key=True)}, tls={})
        async with bench(ANSWER, entrances=passing) as made:
            await made.ask(post(extra=b"Authorization: Bearer client\r\n"))
            assert b"Authorization: Bearer client" in made.engines[0].requests[0]

    asyncio.run(run())


def test_a_new_fleet_keeps_connections_of_endpoints_that_stay() -> None:
    async def run() -> None:
        async with bench(ANSWER, ANSWER) as made:
            client = await made.client()
            await client.send(post())
            await client.answer()
            ports = [engine.port for engine in made.engines]
            policy = Policy(classes=(RequestClass(name="c"),))
            made.gateway.replace_fleet(fleet_of(ports), policy, "d1")
            await client.send(post())
            await client.answer()
            assert made.engines[0].connections == 1
            made.gateway.replace_fleet(fleet_of(ports[1:]), policy, "d2")
            await asyncio.wait_for(made.engines[0].closed.wait(), 2)
            await client.send(post())
            assert (await client.answer())[1]["x-flyball-endpoint"] == "e0"
            assert len(made.engines[1].requests) == 1
            assert len(made.core.seen(FleetChanged)) == 2
            with pytest.raises(ValueError, match="is not http"):
                made.gateway.replace_fleet(fleet_of(ports, "gopher"), policy, "d3")
            await client.send(post())
            assert (await client.answer())[0] == 200

    asyncio.run(run())


def test_more_requests_than_connections_fail_over_instead_of_waiting() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        await reader.read(1)

    async def run() -> None:
        core = ScriptCore(2, attempts_max=2)
        limits = Limits(upstream_connections_max=1)
        async with bench(serve, ANSWER, core=core, limits=limits) as made:
            first = await made.client()
            await first.send(post())
            await until(lambda: len(made.engines[0].requests) == 1)
            status, fields, _ = await made.ask(post())
            assert status == 200 and fields["x-flyball-endpoint"] == "e1"

    asyncio.run(run())
