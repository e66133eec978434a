"""Does the relay serve, bound and let go clients: slow, silent, pipelining, leaving, too many?"""

import asyncio
import tracemalloc

from flyball.governor.events import ClientGone, RequestArrived, Served
from flyball.serve.config.limits import Limits
from support.relay import (
    ANSWER,
    ANSWER_BODY,
    CHAT_BODY,
    HEALTH,
    SSE_HEAD,
    STREAM_BODY,
    Engine,
    ScriptCore,
    bench,
    chunk,
    post,
    until,
)


def test_an_answer_carries_what_was_decided_and_the_core_hears_of_it() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            status, fields, body = await made.ask(
                post(extra=b"Authorization: Bearer secret\r\ntraceparent: 00-a-b-01\r\n")
            )
            assert (status, body) == (200, ANSWER_BODY)
            assert fields["x-flyball-pool"] == "p" and fields["x-flyball-endpoint"] == "e0"
            assert float(fields["x-flyball-price-usd"]) == 0.0015
            assert fields["x-flyball-price-version"] == "4"
            assert fields["x-flyball-rule"] == "price"
            allowance = dict(part.split("=") for part in fields["x-flyball-allowance"].split(";"))
            assert allowance["tokens"] == "10" and allowance["output"] == "64"
            assert 0 < int(allowance["deadline-ms"]) <= 30_000
            arrived, served = made.core.events
            assert isinstance(arrived, RequestArrived)
            assert isinstance(served, Served)
            assert arrived.request_id == fields["x-flyball-request-id"] == served.request_id
            assert (served.input_tokens, served.output_tokens) == (7, 3)
            head = made.engines[0].requests[0].partition(b"\r\n\r\n")[0]
            assert b"secret" not in head, "the client's key reached the engine"
            assert b"traceparent: 00-a-b-01" in head
            assert b"x-request-id: " + arrived.request_id.encode() in head
            assert made.gateway.in_flight_count == 0 and made.gateway.buffered_bytes == 0

    asyncio.run(run())


def test_keep_alive_uses_one_connection_on_both_sides() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            client = await made.client()
            for _ in range(5):
                await client.send(post())
                assert (await client.answer())[0] == 200
            assert made.engines[0].connections == 1
            await client.send(post(extra=b"Connection: close\r\n"))
            status, fields, _ = await client.answer()
            assert status == 200 and fields["connection"] == "close"
            assert await client.rest() == b""

    asyncio.run(run())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def run() -> None:
        delays = [0.03, 0.0, 0.01]

        async def serve(engine: Engine, reader, writer) -> None:
            while True:
                request = await engine.read(reader)
                await asyncio.sleep(delays[len(engine.requests) - 1])
                body = request[-1:] + b"!"
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + body)

        bodies = [b'{"model":"m","messages":[]} ' + mark for mark in (b"\t", b"\r", b"\n")]
        async with bench(serve) as made:
            client = await made.client()
            await client.send(b"".join(post(body) for body in bodies) + HEALTH)
            for mark in (b"\t!", b"\r!", b"\n!"):
                assert (await client.answer())[2] == mark
            assert (await client.answer())[2] == b"ok\n"

    asyncio.run(run())


def test_thousands_of_pipelined_requests_neither_recurse_nor_grow() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            client = await made.client()
            count = 5000
            client.writer.write(HEALTH * count)
            for _ in range(count):
                assert (await client.answer())[0] == 200

    asyncio.run(run())


def test_a_pipelining_client_that_reads_nothing_is_not_read_either() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            client = await made.client()
            client.writer.transport.pause_reading()
            client.writer.transport.set_write_buffer_limits(high=1)
            sent = 0
            while sent < 60_000_000:
                client.writer.write(HEALTH * 1000)
                sent += len(HEALTH) * 1000
                try:
                    await asyncio.wait_for(client.writer.drain(), 0.3)
                except TimeoutError:
                    return
            raise AssertionError("the gateway took everything")

    asyncio.run(run())


def test_expect_100_continue_is_granted_once_and_refused_before_the_body_if_too_large() -> None:
    async def run() -> None:
        async with bench(ANSWER, limits=Limits(body_bytes_max=1000)) as made:
            client = await made.client()
            head, _, body = post(extra=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
            await client.send(head + b"\r\n\r\n")
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(body)
            assert (await client.answer())[0] == 200
            head = post(b"x" * 2000, extra=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")[0]
            await client.send(head + b"\r\n\r\n")
            status, fields, _ = await client.answer()
            assert status == 413 and fields["connection"] == "close"

    asyncio.run(run())


def test_slow_heads_bodies_and_silence_end_in_time() -> None:
    async def run() -> None:
        limits = Limits(head_s_max=0.15, body_s_max=0.2, idle_s_max=0.3)
        async with bench(ANSWER, limits=limits) as made:
            loris, slow_body, silent = [await made.client() for _ in range(3)]
            began = asyncio.get_running_loop().time()
            await slow_body.send(post()[:-10])
            for byte in b"POST /v1/chat":
                loris.writer.write(bytes([byte]))
                await asyncio.sleep(0.005)
            status, fields, _ = await loris.answer()
            assert status == 408 and fields["connection"] == "close"
            assert (await slow_body.answer())[0] == 408
            assert await silent.rest() == b""
            assert asyncio.get_running_loop().time() - began < 2.0
            assert made.gateway.buffered_bytes == 0
            await until(lambda: not made.gateway.connections, 5.0)

    asyncio.run(run())


def test_more_connections_than_allowed_are_told_so() -> None:
    async def run() -> None:
        async with bench(ANSWER, limits=Limits(connections_max=2, linger_s_max=0.05)) as made:
            kept = [await made.client() for _ in range(2)]
            await until(lambda: len(made.gateway.connections) == 2)
            extra = await made.client()
            status, _, body = await extra.answer()
            assert status == 503 and b"overloaded" in body
            for client in kept:
                await client.send(post())
                assert (await client.answer())[0] == 200

    asyncio.run(run())


def test_the_sum_of_bodies_held_is_bounded() -> None:
    async def run() -> None:
        limits = Limits(buffered_bytes_max=100_000, body_bytes_max=80_000)
        async with bench(ANSWER, limits=limits) as made:
            first, second = await made.client(), await made.client()
            await first.send(post(b" " * 80_000)[:70_000])
            await until(lambda: made.gateway.buffered_bytes > 60_000)
            await second.send(post(b" " * 80_000)[:70_000])
            assert (await second.answer())[0] == 503
            first.close()
            await until(lambda: made.gateway.buffered_bytes == 0)

    asyncio.run(run())


def test_a_client_that_leaves_frees_the_engine_at_once() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(SSE_HEAD)
        while not reader.at_eof():
            writer.write(chunk(b"data: x\n\n"))
            await writer.drain()
            await asyncio.sleep(0.002)
            if writer.is_closing():
                return

    async def run() -> None:
        async with bench(serve) as made:
            for leave_politely in (True, False):
                made.engines[0].closed.clear()
                client = await made.client()
                await client.send(post(STREAM_BODY))
                await client.head()
                began = asyncio.get_running_loop().time()
                if leave_politely:
                    client.writer.close()
                else:
                    client.close()
                await asyncio.wait_for(made.engines[0].closed.wait(), 2)
                assert asyncio.get_running_loop().time() - began < 0.5
            assert len(made.core.seen(ClientGone)) == 2
            assert made.gateway.in_flight_count == 0

    asyncio.run(run())


def test_a_client_that_leaves_before_the_answer_began_frees_the_engine_too() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        await reader.read(1)

    async def run() -> None:
        async with bench(serve) as made:
            client = await made.client()
            await client.send(post())
            await until(lambda: len(made.engines[0].requests) == 1)
            client.close()
            await asyncio.wait_for(made.engines[0].closed.wait(), 2)
            await until(lambda: len(made.core.seen(ClientGone)) == 1)

    asyncio.run(run())


def test_a_large_body_up_and_a_large_answer_down_arrive_unaltered() -> None:
    answer = bytes(range(256)) * 40_000

    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer))
        writer.write(answer)
        await writer.drain()
        await reader.read(1)

    async def run() -> None:
        body = CHAT_BODY[:-1] + b',"pad":"' + b"p" * 9_000_000 + b'"}'
        async with bench(serve) as made:
            status, _, got = await made.ask(post(body))
            assert status == 200 and got == answer
            assert made.engines[0].requests[0].endswith(body)
            assert made.gateway.buffered_bytes == 0

    asyncio.run(run())


def test_a_slow_reader_holds_the_engine_back_and_memory_stays_bounded() -> None:
    total, piece = 200_000_000, b"z" * 65_536
    sent = 0

    async def serve(engine: Engine, reader, writer) -> None:
        nonlocal sent
        await engine.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        while sent < total:
            writer.write(piece)
            sent += len(piece)
            await writer.drain()

    async def run() -> None:
        async with bench(serve) as made:
            tracemalloc.start()
            client = await made.client()
            client.writer.transport.pause_reading()
            await client.send(post())
            await until(lambda: sent > 0)
            last = -1
            while sent != last:
                last = sent
                await asyncio.sleep(0.2)
            held = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert sent < total / 4, "nothing held the engine back"
            assert held < 20_000_000
            client.close()
            await asyncio.wait_for(made.engines[0].closed.wait(), 5)

    asyncio.run(run())


def test_a_client_that_reads_nothing_is_given_up() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(SSE_HEAD)
        while True:
            writer.write(chunk(b"y" * 65_000))
            await writer.drain()

    async def run() -> None:
        async with bench(serve, limits=Limits(write_s_max=0.2)) as made:
            client = await made.client()
            client.writer.transport.pause_reading()
            await client.send(post(STREAM_BODY))
            await asyncio.wait_for(made.engines[0].closed.wait(), 10)
            assert len(made.core.seen(ClientGone)) == 1

    asyncio.run(run())


def test_head_and_unknown_paths_and_bad_json_keep_the_connection() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            client = await made.client()
            await client.send(b"HEAD /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n")
            status, fields = await client.head()
            assert status == 200 and fields["content-length"] == "3"
            await client.send(b"GET /nothing HTTP/1.1\r\nHost: gateway\r\n\r\n")
            assert (await client.answer())[0] == 404
            await client.send(post(b'{"model":'))
            status, _, body = await client.answer()
            assert status == 400 and b"bad_json" in body
            await client.send(post(path=b"/v1/chat/completions").replace(b"POST", b"DELETE", 1))
            assert (await client.answer())[0] == 405
            await client.send(post())
            assert (await client.answer())[0] == 200
            assert len(made.core.seen(RequestArrived)) == 1

    asyncio.run(run())


def test_http10_clients_get_plain_bodies_and_a_closed_connection() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(SSE_HEAD + chunk(b"data: a\n\n") + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await reader.read(1)

    async def run() -> None:
        async with bench(serve) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
            status, fields = await client.head()
            assert status == 200 and "transfer-encoding" not in fields
            assert await client.rest() == b"data: a\n\ndata: [DONE]\n\n"

    asyncio.run(run())


def test_drain_lets_a_stream_end_and_refuses_nothing_already_begun() -> None:
    release = asyncio.Event()

    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(SSE_HEAD + chunk(b"data: a\n\n"))
        await release.wait()
        writer.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await reader.read(1)

    async def run() -> None:
        async with bench(serve) as made:
            client, idle = await made.client(), await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            draining = asyncio.ensure_future(made.gateway.drain(10.0))
            assert await idle.rest() == b"", "an idle connection was kept"
            await asyncio.sleep(0.05)
            assert not draining.done()
            release.set()
            assert await client.chunks() == b"data: a\n\ndata: [DONE]\n\n"
            assert await draining == 0

    asyncio.run(run())


def test_drain_cuts_off_what_does_not_end_and_says_so_in_the_stream() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(SSE_HEAD + chunk(b"data: a\n\n"))
        await reader.read(1)

    async def run() -> None:
        async with bench(serve) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            assert await made.gateway.drain(0.05) == 1
            rest = await client.rest()
            assert b"draining" in rest and not rest.endswith(b"0\r\n\r\n")
            assert len(made.core.seen(ClientGone)) == 1

    asyncio.run(run())


def test_a_fault_of_the_core_is_an_answer_and_a_notice_not_a_hang() -> None:
    class Broken(ScriptCore):
        def handle(self, event):
            raise KeyError("x")

    async def run() -> None:
        async with bench(ANSWER, core=Broken()) as made:
            status, _, body = await made.ask(post())
            assert status == 500 and b"own_fault" in body
            assert made.notices and made.notices[0].code == "core_failed"

    asyncio.run(run())
