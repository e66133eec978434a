"""Are endpoints' addresses read, their connections kept, bounded and given up, answers whole?"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from flyball.serve.heads import Response
from flyball.serve.limits import Limits
from flyball.serve.upstream import EndpointPool, Parts, Upstream, read_address
from support.relay import ANSWER, ANSWER_BODY, Engine, chunk, post, until


@pytest.mark.parametrize(
    ("url", "host", "port", "base", "authority"),
    [
        ("http://h", "h", 80, b"", b"h"),
        ("http://h:8000/", "h", 8000, b"", b"h:8000"),
        ("https://h/openai/v1/", "h", 443, b"/openai", b"h"),
        ("http://[::1]:81/v1", "::1", 81, b"", b"[::1]:81"),
    ],
)
def test_addresses(url: str, host: str, port: int, base: bytes, authority: bytes) -> None:
    found = read_address(url)
    assert (found.host, found.port, found.base_path, found.authority) == (
        host, port, base, authority
    )  # fmt: skip
    assert found.is_tls is url.startswith("https")


@pytest.mark.parametrize("url", ["h:80", "ftp://h", "http://", "/v1", "http://h:99999"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"not http://host|out of range"):
        read_address(url)


class Waiting:
    """Waits for one answer, and remembers what it was told."""

    def __init__(self) -> None:
        self.upstream: Upstream | None = None
        self.is_resent = False
        self.head: Response | None = None
        self.body = b""
        self.is_whole = False
        self.failures: list[tuple[str, str]] = []

    def on_head(self, response: Response) -> None:
        self.head = response

    def on_body(self, data: bytes, is_last: bool) -> None:
        assert not self.is_whole
        self.body += data
        self.is_whole = is_last

    def on_failed(self, cause: str, detail: str) -> None:
        self.failures.append((cause, detail))


def pool_of(engine: Engine, **bounds: Any) -> EndpointPool:
    address = read_address(f"http://127.0.0.1:{engine.port}")
    return EndpointPool(asyncio.get_running_loop(), Limits(**bounds), address, None)


async def ask(pool: EndpointPool, decode: bool = False) -> Waiting:
    attempt = Waiting()
    pool.send(attempt, b"POST", Parts(post(), b"", decode))
    await until(lambda: attempt.is_whole or bool(attempt.failures))
    return attempt


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_an_idle_connection_is_used_again_but_not_for_ever() -> None:
    async def test() -> None:
        engine = await Engine(ANSWER).start()
        pool = pool_of(engine, upstream_idle_s_max=0.05)
        for _ in range(3):
            answered = await ask(pool)
            assert answered.body == ANSWER_BODY
            assert answered.upstream is None
        assert engine.connections == 1
        await asyncio.sleep(0.06)
        pool.expire(asyncio.get_running_loop().time())
        await ask(pool)
        assert engine.connections == 2
        pool.retire()
        engine.stop()

    run(test())


def test_connections_are_bounded_and_given_back() -> None:
    async def test() -> None:
        silent = await Engine(hold).start()
        pool = pool_of(silent, upstream_connections_max=1)
        first, second = Waiting(), Waiting()
        pool.send(first, b"POST", Parts(post(), b""))
        await until(lambda: bool(silent.requests))
        pool.send(second, b"POST", Parts(post(), b""))
        await until(lambda: bool(second.failures))
        assert second.failures == [("connect", "all connections to the endpoint are in use")]
        assert first.upstream is not None
        first.upstream.abandon()
        await asyncio.wait_for(silent.closed.wait(), 5)
        third = Waiting()
        pool.send(third, b"POST", Parts(post(), b""))
        await until(lambda: len(silent.requests) == 2)
        assert first.failures == third.failures == []
        silent.stop()
        await until(lambda: bool(third.failures))

    run(test())


async def hold(engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads the request, and what follows it until the other side is gone."""
    await engine.read(reader)
    await reader.read()


CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("decode", "body"),
    [(False, chunk(b"ab") + chunk(b"c") + b"0\r\n\r\n"), (True, b"abc")],
)
def test_chunks_come_as_they_are_or_decoded(decode: bool, body: bytes) -> None:
    async def test() -> None:
        answer = CHUNKED_HEAD + chunk(b"ab") + chunk(b"c") + b"0\r\n\r\n"
        engine = await Engine(answer).start()
        answered = await ask(pool_of(engine), decode)
        assert answered.body == body
        engine.stop()

    run(test())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"SSH-2.0-x\r\n", "garbage"),
        (CHUNKED_HEAD + b"zz\r\n", "garbage"),
    ],
)
def test_a_failure_is_told_once(answer: bytes, cause: str) -> None:
    async def test() -> None:
        engine = await Engine(answer).start()
        answered = await ask(pool_of(engine))
        await asyncio.sleep(0.02)
        assert [found for found, _ in answered.failures] == [cause]
        assert not answered.is_whole
        engine.stop()

    run(test())


def test_nobody_listens() -> None:
    async def test() -> None:
        engine = await Engine(ANSWER).start()
        engine.stop()
        pool = pool_of(engine, upstream_connections_max=1)
        for _ in range(3):  # each failed connection is given back
            assert (await ask(pool)).failures[0][0] == "connect"
            assert "in use" not in (await ask(pool)).failures[0][1]

    run(test())
