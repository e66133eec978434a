"""Does one engine connection tell of each answer once, and is it used again only when clean?"""

import asyncio

import pytest

from flyball.serve.config.limits import Limits
from flyball.serve.relay.heads import Response
from flyball.serve.relay.upstream import EndpointPool, Parts, Upstream, read_address
from support.relay import ANSWER, ANSWER_BODY, Engine, until

HEAD = b"POST /x HTTP/1.1\r\nHost: e\r\ncontent-length: 2\r\n\r\n"
PARTS = Parts(HEAD, b"{}")


class Attempt:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.upstream: Upstream | None = None
        self.is_resent = False
        self.response: Response | None = None
        self.body = b""
        self.ends = 0
        self.failures: list[str] = []

    def on_whole(self, response: Response, data: bytes) -> None:
        self.on_head(response)
        self.on_body(data, True)

    def on_head(self, response: Response) -> None:
        self.response = response

    def on_body(self, data: bytes, is_last: bool) -> None:
        self.body += data
        self.ends += is_last

    def on_failed(self, cause: str, detail: str) -> None:
        self.failures.append(cause)

    @property
    def is_done(self) -> bool:
        return bool(self.ends or self.failures)


def pool_of(port: int, **limits: float) -> EndpointPool:
    address = read_address(f"http://127.0.0.1:{port}")
    return EndpointPool(asyncio.get_running_loop(), Limits(**limits), address, None)


@pytest.mark.parametrize("url", ["", "h", "ftp://h", "http://", "http:///x", "unix:/a"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not http"):
        read_address(url)


def test_connections_are_used_again_until_they_idle_too_long() -> None:
    async def run() -> None:
        engine = await Engine(ANSWER).start()
        pool = pool_of(engine.port, upstream_idle_s_max=0.1)
        for expected in (1, 1, 2):
            if expected == 2:
                await asyncio.sleep(0.15)
            attempt = Attempt()
            pool.send(attempt, b"POST", PARTS)
            await until(lambda a=attempt: a.is_done)
            assert attempt.body == ANSWER_BODY and attempt.upstream is None
            assert engine.connections == expected
        await asyncio.sleep(0.15)
        pool.expire(asyncio.get_running_loop().time())
        await asyncio.sleep(0.02)
        assert pool._open == 0 and not pool._idle
        engine.stop()

    asyncio.run(run())


def test_a_retired_pool_closes_what_idles_and_what_ends() -> None:
    async def run() -> None:
        engine = await Engine(ANSWER).start()
        pool = pool_of(engine.port)
        first, second = Attempt(), Attempt()
        pool.send(first, b"POST", PARTS)
        await until(lambda: first.is_done)
        pool.send(second, b"POST", PARTS)
        pool.retire()
        await until(lambda: second.is_done)
        await until(lambda: pool._open == 0)
        assert second.body == ANSWER_BODY
        engine.stop()

    asyncio.run(run())


def test_an_abandoned_attempt_hears_nothing_more() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        await asyncio.sleep(0.05)
        writer.write(ANSWER)

    async def run() -> None:
        engine = await Engine(serve).start()
        pool = pool_of(engine.port)
        attempt = Attempt()
        pool.send(attempt, b"POST", PARTS)
        await until(lambda: len(engine.requests) == 1)
        assert attempt.upstream is not None
        attempt.upstream.abandon()
        await until(lambda: pool._open == 0)
        await asyncio.sleep(0.08)
        assert not attempt.is_done and attempt.response is None
        engine.stop()

    asyncio.run(run())


def test_an_attempt_abandoned_while_connecting_leaves_a_usable_connection() -> None:
    async def run() -> None:
        engine = await Engine(ANSWER).start()
        pool = pool_of(engine.port)
        attempt = Attempt()
        pool.send(attempt, b"POST", PARTS)
        assert attempt.upstream is not None
        attempt.upstream.abandon()
        await until(lambda: len(pool._idle) == 1)
        second = Attempt()
        pool.send(second, b"POST", PARTS)
        await until(lambda: second.is_done)
        assert second.body == ANSWER_BODY and engine.connections == 1 and not attempt.is_done
        engine.stop()

    asyncio.run(run())


def test_a_first_connection_that_is_reset_is_a_failure_not_a_stale_one() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        writer.transport.abort()

    async def run() -> None:
        engine = await Engine(serve).start()
        pool = pool_of(engine.port)
        attempt = Attempt()
        pool.send(attempt, b"POST", PARTS)
        await until(lambda: attempt.is_done)
        assert attempt.failures and engine.connections == 1 and not attempt.is_resent
        engine.stop()

    asyncio.run(run())


@pytest.mark.parametrize("cut", [1, 2, 5, 1000])
def test_answers_are_understood_however_they_are_cut(cut: int) -> None:
    body = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body

    async def serve(engine: Engine, reader, writer) -> None:
        while True:
            await engine.read(reader)
            for at in range(0, len(answer), cut):
                writer.write(answer[at : at + cut])
                await asyncio.sleep(0)

    async def run() -> None:
        engine = await Engine(serve).start()
        pool = pool_of(engine.port)
        for decode, expected in ((False, body), (True, b"abcde"), (False, body)):
            attempt = Attempt()
            pool.send(attempt, b"POST", Parts(HEAD, b"{}", decode))
            await until(lambda a=attempt: a.is_done)
            assert attempt.body == expected and attempt.ends == 1
        assert engine.connections == 1
        engine.stop()

    asyncio.run(run())


def test_the_bound_on_connections_holds_and_is_told() -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        await reader.read(1)

    async def run() -> None:
        engine = await Engine(serve).start()
        pool = pool_of(engine.port, upstream_connections_max=2)
        attempts = [Attempt() for _ in range(3)]
        for attempt in attempts:
            pool.send(attempt, b"POST", PARTS)
        await until(lambda: attempts[2].is_done)
        assert attempts[2].failures == ["connect"]
        await until(lambda: engine.connections == 2)
        engine.stop()

    asyncio.run(run())
