"""Is a page read whole whatever its framing, on one kept connection, and is what is bad said?"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from flyball.serve.engines.pagereader import PageError, PageReader

Answers = list[bytes]
Scene = Callable[[PageReader, list[bytes]], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


def play(answers: Answers, scene: Scene, path: str = "/metrics?a=1") -> int:
    """Run a server that gives these answers in turn (b"" = close without one, a trailing b"!" =
    close after it, b"?" = none, keep waiting); how many connections it saw."""
    connections = 0
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                answer = answers.pop(0)
                if answer == b"?":
                    continue
                writer.write(answer.removesuffix(b"!"))
                if answer in (b"", b"!") or answer.endswith(b"!"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        page = PageReader(f"http://127.0.0.1:{port}{path}", {"Authorization": "Bearer k"})
        await asyncio.wait_for(scene(page, asked), 5)
        page.close()
        server.close()

    asyncio.run(run())
    return connections


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhi!",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi!",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    ],
)
def test_every_framing(answer: bytes) -> None:
    async def scene(page: PageReader, asked: list[bytes]) -> None:
        assert await page.get() == b"hi"
        assert await page.get() == b"hi"
        assert asked[0].startswith(b"GET /metrics?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        assert b"\r\nAuthorization: Bearer k\r\n" in asked[0]

    assert play([answer, answer], scene) == (2 if answer.endswith(b"!") else 1)


def test_a_kept_connection_that_was_closed_is_replaced_once() -> None:
    async def scene(page: PageReader, _: list[bytes]) -> None:
        assert await page.get() == b"hi"
        assert await page.get() == b"hi"
        with pytest.raises(PageError, match="closed before an answer"):
            await page.get()

    assert play([OK, b"", OK, b"", b""], scene) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", "status 503"),
        (b"HTTP/1.1 302 Go\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", "status 302"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi!", "broke off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n" + b"x" * 5_000_000, "larger"),
        (b"", "closed before an answer"),
    ],
)
def test_what_is_bad_is_said_and_the_next_is_read_afresh(answer: bytes, words: str) -> None:
    async def scene(page: PageReader, _: list[bytes]) -> None:
        with pytest.raises(PageError, match=words):
            await page.get()
        assert await page.get() == b"hi"

    assert play([answer, OK], scene) == 2


def test_a_late_answer_after_giving_up_is_not_taken_for_the_next() -> None:
    async def scene(page: PageReader, _: list[bytes]) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await page.get()
        assert await page.get() == b"hi"

    assert play([b"HTTP/1.1 200 OK\r\n", OK], scene) == 2


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="ftp"):
        PageReader("ftp://h/metrics", {})


def test_a_page_given_up_is_not_asked_for_again() -> None:
    async def scene(page: PageReader, asked: list[bytes]) -> None:
        assert await page.get() == b"hi"
        reading = asyncio.create_task(page.get())
        while len(asked) < 2:
            await asyncio.sleep(0.001)
        page.close()
        with pytest.raises(PageError, match="given up"):
            await reading
        await asyncio.sleep(0.05)
        assert len(asked) == 2

    assert play([OK, b"?", OK], scene) == 1
