"""Does a feed come whole over HTTP, and is a reader that does not read let go?"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from flyball.authority.revocation.feed import Cursor, digest, make_entry
from flyball.authority.revocation.revocation import sign_event
from flyball.serve.feeds import stream
from flyball.serve.feeds.own import OwnFeed
from flyball.serve.feeds.store import FeedStore
from flyball.serve.feeds.stream import PATH, READERS_MAX, EventStream, Telling, events
from support.oversight import ADA, NORTH, revocation, until


@asynccontextmanager
async def served(folder: Path, count: int) -> AsyncIterator[tuple[OwnFeed, Telling, str]]:
    lines: list[bytes] = []
    for number in range(1, count + 1):
        previous = digest(lines[-1]) if lines else ""
        lines.append(make_entry(sign_event(revocation(), ADA), number, previous, NORTH))
    store = FeedStore(folder / "own.feed")
    store.append(lines)
    store.close()
    feed = OwnFeed(folder / "own.feed", NORTH, time.monotonic)
    telling = Telling(feed)
    app = web.Application()
    app.router.add_get(PATH, telling.tell)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield feed, telling, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        telling.stop()
        await runner.cleanup()


def test_entries_then_beats_then_what_is_new(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(tmp_path, 300) as (feed, telling, url):
            cursor = Cursor("north", NORTH.public)
            following = EventStream(url, lambda target: "x").follow(0, "n1")
            async for kind, line in following:
                if kind == "entry":
                    cursor.take(line)
                elif cursor.hear(line, "n1").sequence == 300:
                    await feed.publish(sign_event(revocation(), ADA))
                else:
                    break
            await following.aclose()
            assert cursor.sequence == 301
            await until(lambda: telling.readers_count == 0)

    asyncio.run(run())


@pytest.mark.parametrize("query", ["", "?after=x&nonce=n", "?after=1", f"?nonce={'n' * 65}"])
def test_a_listener_says_where_it_stands(tmp_path: Path, query: str) -> None:
    async def run() -> None:
        async with (
            served(tmp_path, 0) as (_, _, url),
            aiohttp.ClientSession() as session,
            session.get(url + PATH + query) as answer,
        ):
            assert answer.status == 400

    asyncio.run(run())


def test_a_reader_that_does_not_read_is_let_go_and_others_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is queued for it but what its socket holds; its place is free afterwards."""
    monkeypatch.setattr(stream, "WRITE_S_MAX", 0.5)

    async def run() -> None:
        async with served(tmp_path, 3000) as (feed, telling, url):
            port = int(url.rpartition(":")[2])
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", port))
            sock.sendall(b"GET %s?after=0&nonce=n HTTP/1.1\r\nhost: x\r\n\r\n" % PATH.encode())
            await until(lambda: telling.readers_count == 1)
            begun = time.monotonic()
            await feed.publish(sign_event(revocation(), ADA))
            assert time.monotonic() - begun < 0.4, "an event does not wait for a reader"
            await until(lambda: telling.readers_count == 0)
            sock.close()

    asyncio.run(run())


def test_only_so_many_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "READERS_MAX", 1)
    assert READERS_MAX == 64

    async def run() -> None:
        async with served(tmp_path, 0) as (_, telling, url):
            first = EventStream(url, lambda target: "x").follow(0, "a")
            await anext(first)
            assert telling.readers_count == 1
            with pytest.raises(OSError, match="503"):
                await anext(EventStream(url, lambda target: "x").follow(0, "b"))
            await first.aclose()

    asyncio.run(run())


def test_nobody_there_is_an_oserror() -> None:
    async def run() -> None:
        with pytest.raises(OSError):
            await anext(EventStream("http://127.0.0.1:9", lambda target: "x").follow(0, "n"))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"event: beat\ndata: {}\n\n", [("beat", b"{}")]),
        (b"id: 1\r\nevent:entry\r\ndata:a\r\n\r\n", [("entry", b"a")]),
        (b": a comment\n\nevent: other\ndata: x\n\nretry: 5\n\n", []),
        (b"event: entry\ndata: cut", []),
        (b"event: entry\n\ndata: lone\n\n", []),
    ],
)
def test_what_is_an_event_of_ours(text: bytes, found: list[tuple[str, bytes]]) -> None:
    async def run() -> list[tuple[str, bytes]]:
        return [one async for one in events(reader(text))]

    assert asyncio.run(run()) == found


def test_a_line_without_end_is_refused() -> None:
    async def run() -> None:
        async def shout(request: web.Request) -> web.StreamResponse:
            return web.Response(body=b"data: " + b"x" * 600_000)

        app = web.Application()
        app.router.add_get(PATH, shout)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        with pytest.raises(OSError, match="too long"):
            await anext(EventStream(url, lambda target: "x").follow(0, "n"))
        await runner.cleanup()

    asyncio.run(run())


def reader(text: bytes) -> aiohttp.StreamReader:
    from aiohttp.base_protocol import BaseProtocol

    loop = asyncio.get_running_loop()
    made = aiohttp.StreamReader(BaseProtocol(loop), 2 * stream.LINE_BYTES_MAX, loop=loop)
    made.feed_data(text)
    made.feed_eof()
    return made
