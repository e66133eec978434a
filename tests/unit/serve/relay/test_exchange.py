"""Does one request go from arrival to its one end, whatever comes in between?"""

import asyncio
import json

import pytest
from msgspec.structs import replace

from flyball.governor.commands import Abort, Forward, Hold
from flyball.governor.events import AttemptFailed, DeadlinePassed, Served
from flyball.model.faults import Refusal
from flyball.serve.config.limits import Limits
from flyball.serve.relay.exchange import TAIL_PARTS_MAX
from support.relay import ANSWER, SSE_HEAD, STREAM_BODY, Engine, ScriptCore, bench, chunk, post


def test_a_held_request_that_is_never_called_hears_of_its_deadline() -> None:
    async def run() -> None:
        core = ScriptCore()
        core.on_arrival = lambda event: [Hold(event.request_id, event.at + 0.02)]
        async with bench(ANSWER, core=core) as made:
            status, _, body = await made.ask(post())
            assert status == 504 and b"deadline_exceeded" in body
            assert len(core.seen(DeadlinePassed)) == 1 and not made.engines[0].connections

    asyncio.run(run())


def test_a_core_that_does_not_answer_a_deadline_is_told_again() -> None:
    async def run() -> None:
        core = ScriptCore(deadline_s=0.01)
        answers = iter([[], None])
        handle = core.handle

        def deaf_once(event):
            commands = handle(event)
            return next(answers) or commands if isinstance(event, DeadlinePassed) else commands

        core.handle = deaf_once  # type: ignore[method-assign]

        async def serve(engine: Engine, reader, writer) -> None:
            await engine.read(reader)
            await reader.read(1)

        async with bench(serve, core=core) as made:
            assert (await made.ask(post()))[0] == 504

    asyncio.run(run())


def test_the_stream_of_a_slow_client_does_not_count_as_stalled() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(SSE_HEAD)
        for _ in range(300):
            writer.write(chunk(b"y" * 65_000))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await reader.read(1)

    async def run() -> None:
        async with bench(serve, limits=Limits(stall_s_max=0.1)) as made:
            client = await made.client()
            client.writer.transport.pause_reading()
            await client.send(post(STREAM_BODY))
            await asyncio.sleep(0.5)
            client.writer.transport.resume_reading()
            await client.head()
            assert len(await client.chunks()) == 300 * 65_000
            assert not made.core.seen(AttemptFailed)

    asyncio.run(run())


def test_an_answer_is_looked_at_often_enough_to_see_it_stall_an_eighth_late_at_most() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        for part in (SSE_HEAD, *[chunk(b"data: a\n\n")] * 3):
            writer.write(part)
            await asyncio.sleep(0.01)
        await reader.read(1)

    async def run() -> None:
        async with bench(serve, limits=Limits(stall_s_max=8.0)) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            for _ in range(3):
                await client.reader.readuntil(b"a\n\n\r\n")
            (exchange,) = made.gateway._exchanges.values()
            now = made.gateway.now()
            assert exchange.due_at <= now + 1.0, "not only after the time of a stall"
            exchange.expire(now + 1.0)
            exchange.expire(now + 8.9)
            assert not made.core.seen(AttemptFailed), "it had moved before the first look"
            exchange.expire(now + 9.0)
            (failed,) = made.core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed) and failed.cause == "stall"

    asyncio.run(run())


def test_only_the_last_bytes_are_kept_however_long_the_answer() -> None:
    async def run() -> None:
        usage = b'data: {"usage":{"prompt_tokens":5,"completion_tokens":6}}\n\n'
        body = b"".join(chunk(b"data: " + b"z" * 900 + b"\n\n") for _ in range(3000))
        stream = SSE_HEAD + body + chunk(usage) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        async with bench(stream) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            tails = []
            reading = asyncio.ensure_future(client.chunks())
            while not reading.done():
                for exchange in made.gateway._exchanges.values():
                    tails.append(sum(map(len, exchange._tail or ())))
                await asyncio.sleep(0)
            assert max(tails, default=0) <= TAIL_PARTS_MAX * 4096
            (served,) = made.core.seen(Served)
            assert isinstance(served, Served)
            assert (served.input_tokens, served.output_tokens) == (5, 6)

    asyncio.run(run())


@pytest.mark.parametrize("refusal", [None, Refusal(code="deadline_exceeded", detail="1")])
def test_an_abort_midway_closes_both_sides(refusal: Refusal | None) -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.write(SSE_HEAD + chunk(b"data: a\n\n"))
        await reader.read(1)

    async def run() -> None:
        async with bench(serve) as made:
            client = await made.client()
            await client.send(post(STREAM_BODY))
            await client.head()
            (exchange,) = made.gateway._exchanges.values()
            made.gateway._abort(Abort(exchange.id, refusal))
            made.gateway._abort(Abort(exchange.id, refusal))
            rest = await client.rest()
            assert (b"deadline_exceeded" in rest) == (refusal is not None)
            await asyncio.wait_for(made.engines[0].closed.wait(), 2)
            assert not made.gateway.in_flight_count

    asyncio.run(run())


def test_what_is_granted_changes_the_body_and_nothing_else_does() -> None:
    turns = [{"role": "user", "content": f"question {n} " + 200 * "x"} for n in range(4)]
    asked = {"x-own": [1, {"a": None}], "model": "m", "messages": turns, "max_tokens": 900}

    class GrantingCore(ScriptCore):
        def forward(self, request_id: str) -> Forward:
            made = super().forward(request_id)
            allowance = replace(
                made.allowance,
                tokens_offered=1000,
                tokens_kept=500,
                output_tokens_max=50,
                clamp_output=True,
                model="small",
            )
            return replace(made, allowance=allowance)

    async def run() -> None:
        async with bench(ANSWER, core=GrantingCore()) as made:
            status, _, _ = await made.ask(post(json.dumps(asked).encode()))
            assert status == 200
            head, _, body = made.engines[0].requests[0].partition(b"\r\n\r\n")
            assert json.loads(body) == {
                **asked, "model": "small", "messages": turns[2:], "max_tokens": 50,
            }  # fmt: skip
            assert b"content-length: %d" % len(body) in head.lower()

    asyncio.run(run())
