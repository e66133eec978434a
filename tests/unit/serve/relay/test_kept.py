"""Is what is handed on as asked and answered what the client sent and got, however it came?"""

import asyncio

import pytest

from flyball.governor.commands import Reject
from flyball.model.decision import Record
from flyball.model.faults import Refusal
from flyball.serve.log.commit import Kept
from support.relay import ANSWER, SSE_HEAD, STREAM_BODY, ScriptCore, bench, chunk, post


class Texts:
    """Keeps what is over."""

    def __init__(self) -> None:
        self.ended: list[Kept] = []
        self.detail = self.refuses = ""

    def begin(self, request_id: str, at: float, prompt: bytes) -> Kept:
        return Kept(request_id, at, prompt)

    def placed(self, record: Record) -> None: ...

    def over(self, kept: Kept) -> None:
        self.ended.append(kept)


STREAM = SSE_HEAD + chunk(b"data: a\n\n") + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def asked(stream: bytes, sent: bytes, **more) -> tuple[Texts, bytes]:
    texts = Texts()

    async def run() -> bytes:
        async with bench(stream, **more) as made:
            made.gateway.texts = texts  # type: ignore[assignment]
            client = await made.client()
            await client.send(sent)
            _, fields = await client.head()
            if "content-length" in fields:
                return await client.reader.readexactly(int(fields["content-length"]))
            return await client.chunks()

    got = asyncio.run(run())
    return texts, got


@pytest.mark.parametrize(("stream", "sent"), [(ANSWER, post()), (STREAM, post(STREAM_BODY))])
def test_the_bodies_are_kept_as_they_came(stream: bytes, sent: bytes) -> None:
    texts, got = asked(stream, sent)
    (kept,) = texts.ended
    assert kept.prompt == sent.partition(b"\r\n\r\n")[2]
    assert kept.text() == got and got


def test_an_engines_refusal_is_no_answer() -> None:
    texts, got = asked(REFUSAL, post())
    (kept,) = texts.ended
    assert got and kept.text() == b"" and kept.prompt


def test_a_refused_request_is_over_too() -> None:
    core = ScriptCore()
    core.on_arrival = lambda event: [Reject(event.request_id, Refusal(code="stopped"))]
    texts, _ = asked(ANSWER, post(), core=core)
    assert [kept.text() for kept in texts.ended] == [b""]


def test_while_texts_cannot_be_kept_nothing_is_let_in() -> None:
    async def run() -> None:
        texts = Texts()
        texts.refuses = "the vault is full"
        async with bench(ANSWER) as made:
            made.gateway.texts = texts  # type: ignore[assignment]
            status, _, body = await made.ask(post())
            assert status == 503 and b"the vault is full" in body and not texts.ended

    asyncio.run(run())
