"""Do events recorded in the real gateway give a fresh governor's commands, byte by byte?"""

import asyncio
from typing import Any

from flyball.governor.events import PeersSeen, Sampled, Solved, Tick
from flyball.governor.governor import Governor
from flyball.governor.policy import Policy
from flyball.model.request import Promise, RequestClass
from flyball.model.signals import EngineSample, PeerLoad
from flyball.pricing.highs import Solver
from support.recorded import Recorder, kinds, replayed
from support.relay import (
    ANSWER,
    CHAT_BODY,
    SSE_HEAD,
    STREAM_BODY,
    Engine,
    bench,
    chunk,
    fleet_of,
    post,
    until,
)

CHAT = RequestClass(
    name="chat", value_usd=0.01, promise=Promise(ttft_s=2.0, tpot_s=0.5), deadline_s=1.0
)
POLICY = Policy(classes=(CHAT,))
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'


async def stream(engine: Engine, reader: Any, writer: Any) -> None:
    """A stream of three events; a request that says `hold` is never answered."""
    while True:
        request = await engine.read(reader)
        if b"hold" in request:
            await asyncio.sleep(30)
        if b"fail" in request:
            return
        if b'"stream":true' not in request:
            writer.write(ANSWER)
        else:
            writer.write(SSE_HEAD + chunk(EVENT) + chunk(EVENT) + chunk(b"data: [DONE]\n\n"))
            writer.write(b"0\r\n\r\n")
        await writer.drain()


async def busy(engine: Engine, reader: Any, writer: Any) -> None:
    while True:
        await engine.read(reader)
        writer.write(BUSY)
        await writer.drain()


async def traffic(made: Any) -> None:
    """Chats, streams, an engine that is busy, one that fails, a client that leaves, a deadline."""
    for i in range(8):
        await made.ask(post(CHAT_BODY.replace(b"hello", b"hello %d" % i)))
        await made.ask(post(STREAM_BODY.replace(b"hello", b"words " * (i * 60))))
    await made.ask(post(CHAT_BODY.replace(b"hello", b"fail")))
    await made.ask(post(CHAT_BODY.replace(b'"m"', b'"no-such-model"')))
    gone = await made.client()
    await gone.send(post(CHAT_BODY.replace(b"hello", b"hold, I leave")))
    await asyncio.sleep(0.05)
    gone.close()
    await made.ask(post(CHAT_BODY.replace(b"hello", b"hold until the deadline")))


def period(made: Any, at: float) -> None:
    """What the control part tells the same core in between."""
    feed = made.gateway.feed
    for endpoint in range(3):
        sample = EngineSample(waiting=endpoint, running=2, kv_usage=0.1, kv_tokens_max=100_000)
        feed(Sampled(at, endpoint, sample if endpoint < 2 else None, "" if endpoint < 2 else "no"))
    load = PeerLoad(
        endpoint=1, running=3, pending=1, pending_prefill_tokens=900.0, kv_tokens=2000.0
    )
    feed(PeersSeen(at, (load,)))
    feed(Tick(at))


async def recorded() -> tuple[Recorder, list[int]]:
    recorder = Recorder(None)
    core: Any = recorder
    async with bench(stream, stream, busy, core=core) as made:
        ports = [engine.port for engine in made.engines]
        governor = recorder.core = Governor(fleet_of(ports), POLICY)
        period(made, made.gateway.now())
        await traffic(made)
        period(made, made.gateway.now() + 1.0)
        problem = governor.state.problem
        assert problem is not None
        made.gateway.feed(Solved(made.gateway.now() + 1.1, Solver().solve(problem)))
        await made.ask(post())
        await until(lambda: made.gateway.in_flight_count == 0)
        made.gateway.begin_drain()
    return recorder, ports


def test_a_fresh_governor_says_the_same() -> None:
    recorder, ports = asyncio.run(recorded())
    fresh = Governor(fleet_of(ports), POLICY)
    assert replayed(fresh, recorder.log) == [said for _, said in recorder.log]
    assert kinds(recorder.log) >= {
        "RequestArrived", "FirstByte", "Served", "AttemptFailed", "ClientGone", "DeadlinePassed",
        "Sampled", "PeersSeen", "Tick", "Solved", "DrainBegun",
    }  # fmt: skip
    said = b"".join(commands for _, commands in recorder.log)
    assert all(word in said for word in (b"Forward", b"Reject", b"Abort", b"Publish", b"retried"))
