"""Does the copy or the original go on, by the first byte, and is the other closed at once?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from flyball.governor.commands import Command, Forward, Reject
from flyball.governor.events import AttemptFailed, Event, FirstByte, HedgeDue, Served
from flyball.model.faults import Refusal
from support.relay import (
    ANSWER,
    ANSWER_BODY,
    SSE_HEAD,
    STREAM_BODY,
    Engine,
    ScriptCore,
    bench,
    chunk,
    post,
)

HEDGE_S = 0.02
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class HedgingCore(ScriptCore):
    """Sends each request to engine 0, and after `HEDGE_S` a copy to engine 1."""

    def __init__(self) -> None:
        super().__init__(2)
        self.failed: set[int] = set()

    def forward(self, request_id: str) -> Forward:
        made = super().forward(request_id)
        allowance = replace(made.allowance, hedge_at=self._arrived[request_id] + HEDGE_S)
        return replace(made, allowance=allowance)

    def handle(self, event: Event) -> list[Command]:
        if isinstance(event, HedgeDue):
            self.events.append(event)
            return [replace(self.forward(event.request_id), is_copy=True)]
        if isinstance(event, AttemptFailed):
            self.events.append(event)
            self.failed.add(event.attempt)
            both = self.failed >= {1, 2}
            refusal = Refusal(code="upstream_failed", detail=event.detail)
            return [Reject(event.request_id, refusal)] if both else []
        return super().handle(event)


Serve = Callable[[Engine, Any, Any], Awaitable[None]]


def after(seconds: float, *parts: bytes) -> Serve:
    """An engine that answers so late, in these parts."""

    async def serve(engine: Engine, reader: Any, writer: Any) -> None:
        while True:
            await engine.read(reader)
            try:
                if not await asyncio.wait_for(reader.read(1), seconds):
                    return  # the gateway has closed
            except TimeoutError:
                pass
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.01)

    return serve


def run(*engines: Serve | bytes, body: bytes = b"") -> tuple[HedgingCore, int, bytes, list[Engine]]:
    async def ask() -> tuple[HedgingCore, int, bytes, list[Engine]]:
        core = HedgingCore()
        async with bench(*engines, core=core) as made:
            status, _, answer = await made.ask(post(body) if body else post())
            await asyncio.sleep(0.02)
            for engine in made.engines:
                engine.was_closed = engine.closed.is_set()
            return core, status, answer, made.engines

    return asyncio.run(ask())


def test_a_quick_answer_is_never_copied() -> None:
    core, status, body, engines = run(ANSWER, ANSWER)
    assert (status, body) == (200, ANSWER_BODY)
    assert core.seen(HedgeDue) == [] and not engines[1].connections


def test_the_copy_answers_and_the_original_is_closed() -> None:
    core, status, body, engines = run(after(5.0, ANSWER), ANSWER)
    assert (status, body) == (200, ANSWER_BODY)
    (served,) = core.seen(Served)
    assert isinstance(served, Served) and served.attempt == 2
    assert engines[0].was_closed
    assert (
        engines[0].requests[0].split(b"\r\n\r\n")[1] == engines[1].requests[0].split(b"\r\n\r\n")[1]
    )


def test_the_original_answers_and_the_copy_is_closed() -> None:
    core, status, body, engines = run(after(0.06, ANSWER), after(5.0, ANSWER))
    assert (status, body) == (200, ANSWER_BODY)
    (served,) = core.seen(Served)
    assert isinstance(served, Served) and served.attempt == 1
    assert engines[1].connections == 1 and engines[1].was_closed


def test_a_stream_of_the_copy_is_relayed_whole() -> None:
    events = [b'data: {"n":%d}\n\n' % n for n in range(5)] + [b"data: [DONE]\n\n"]
    parts = [SSE_HEAD, *[chunk(event) for event in events], b"0\r\n\r\n"]
    core, status, body, engines = run(after(5.0), after(0.0, *parts), body=STREAM_BODY)
    assert (status, body) == (200, b"".join(events))
    (first,) = core.seen(FirstByte)
    (served,) = core.seen(Served)
    assert isinstance(first, FirstByte) and first.attempt == 2
    assert isinstance(served, Served) and served.attempt == 2
    assert engines[0].was_closed


@pytest.mark.parametrize("failing", [0, 1])
def test_one_failing_leaves_the_other(failing: int) -> None:
    good = after(0.1, ANSWER)
    pair: list[Serve | bytes] = [good, good]
    pair[failing] = after(0.05, BUSY)
    core, status, body, _ = run(*pair)
    assert (status, body) == (200, ANSWER_BODY)
    (failed,) = core.seen(AttemptFailed)
    assert isinstance(failed, AttemptFailed)
    assert (failed.attempt, failed.endpoint, failed.status) == (failing + 1, failing, 503)
    (served,) = core.seen(Served)
    assert isinstance(served, Served) and served.attempt == 2 - failing


def test_both_failing_is_told_once() -> None:
    core, status, _, _ = run(after(0.06, BUSY), after(0.05, BUSY))
    assert status == 502
    told = [one.attempt for one in core.seen(AttemptFailed) if isinstance(one, AttemptFailed)]
    assert sorted(told) == [1, 2]
