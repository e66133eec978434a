"""Does one client connection read, wait, refuse and close as it should, byte by byte?"""

import asyncio

from flyball.model.faults import Refusal
from flyball.serve.config.limits import Limits
from flyball.serve.relay.downstream import BUSY, HEAD, LINGER, Downstream
from flyball.serve.relay.heads import Request
from flyball.serve.relay.wheel import Wheel
from support.relay import CHAT_BODY, HEALTH, post


class Transport:
    """What a connection does to its socket, kept."""

    def __init__(self) -> None:
        self.sent = b""
        self.calls: list[str] = []

    def write(self, data: bytes) -> None:
        self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def __getattr__(self, name: str):
        return lambda *args: self.calls.append(name)


class Owner:
    """Keeps requests; answers at once if told to."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.at = 100.0
        self.wheel = Wheel(asyncio.get_running_loop(), self.now)
        self.draining = False
        self.buffered_bytes = 0
        self.connections: set[Downstream] = set()
        self.requests: list[Request] = []
        self.refusals: list[str] = []
        self.gone = 0
        self.answers_at_once = False

    def now(self) -> float:
        return self.at

    def on_request(self, connection: Downstream, request: Request) -> None:
        self.requests.append(request)
        if self.answers_at_once:
            connection.answered(True, self.at)

    def on_gone(self, connection: Downstream) -> None:
        self.gone += 1

    def on_writable(self, connection: Downstream, writable: bool) -> None:
        pass

    def refuse(self, connection: Downstream, request: Request | None, refusal: Refusal) -> None:
        self.refusals.append(refusal.code)
        connection.linger()


def connected(owner: Owner) -> tuple[Downstream, Transport]:
    transport = Transport()
    connection = Downstream(owner)
    connection.connection_made(transport)  # type: ignore[arg-type]
    return connection, transport


def test_one_request_in_any_pieces_is_one_request() -> None:
    async def run() -> None:
        request = post()
        for size in (1, 2, 7, 50, 1000):
            owner = Owner()
            connection, _ = connected(owner)
            for at in range(0, len(request), size):
                connection.data_received(request[at : at + size])
            assert [one.body for one in owner.requests] == [CHAT_BODY]
            assert connection.phase == BUSY and connection.is_whole
            assert owner.buffered_bytes == len(CHAT_BODY)
            connection.answered(True, owner.at)
            assert connection.phase == HEAD and owner.buffered_bytes == 0

    asyncio.run(run())


def test_the_next_request_waits_for_the_answer_and_reading_stops_when_much_waits() -> None:
    async def run() -> None:
        owner = Owner(Limits(pipelined_bytes_max=1000))
        connection, transport = connected(owner)
        connection.data_received(post() + HEALTH)
        assert len(owner.requests) == 1
        connection.data_received(HEALTH * 10)
        assert not transport.calls
        connection.data_received(HEALTH * 30)
        assert transport.calls == ["pause_reading"]
        for count in range(2, 43):
            connection.answered(True, owner.at)
            assert len(owner.requests) == min(count, 42)
        assert transport.calls == ["pause_reading", "resume_reading"]

    asyncio.run(run())


def test_many_requests_at_once_give_the_loop_its_turn() -> None:
    async def run() -> None:
        owner = Owner()
        owner.answers_at_once = True
        connection, _ = connected(owner)
        connection.data_received(HEALTH * 100)
        assert len(owner.requests) == 16
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(owner.requests) == 100

    asyncio.run(run())


def test_time_limits_follow_the_phase() -> None:
    async def run() -> None:
        limits = Limits(head_s_max=10, body_s_max=60, idle_s_max=75, linger_s_max=2)
        owner = Owner(limits)
        connection, transport = connected(owner)
        assert connection.due_at == 175.0
        connection.data_received(b"POST /v1")
        assert connection.due_at == 110.0
        connection.expire(110.0)
        assert owner.refusals == ["request_timeout"] and connection.phase == LINGER
        assert connection.due_at == 102.0 and transport.calls == ["write_eof"]
        connection.expire(102.0)
        assert transport.calls[-1] == "abort"

        connection, transport = connected(owner)
        connection.data_received(post()[:-1])
        assert connection.due_at == 160.0
        connection.expire(160.0)
        assert owner.refusals == ["request_timeout"] * 2 and owner.buffered_bytes == 0

        connection, transport = connected(owner)
        connection.expire(175.0)
        assert transport.calls == ["abort"]

        connection, transport = connected(owner)
        connection.data_received(post())
        connection.expire(175.0)
        assert not transport.calls, "a request at work is not the client's fault"
        connection.pause_writing()
        connection.expire(owner.at + limits.write_s_max)
        assert transport.calls == ["abort"]

    asyncio.run(run())


def test_after_a_refusal_nothing_more_is_read() -> None:
    async def run() -> None:
        owner = Owner()
        connection, _ = connected(owner)
        connection.data_received(b"BAD\r\n\r\n" + post())
        connection.data_received(post())
        assert owner.refusals == ["bad_http"] and not owner.requests

    asyncio.run(run())


def test_gone_is_told_once_and_only_while_an_answer_is_owed() -> None:
    async def run() -> None:
        owner = Owner()
        connection, _ = connected(owner)
        connection.eof_received()
        connection.connection_lost(None)
        assert owner.gone == 0 and not owner.connections
        connection, _ = connected(owner)
        connection.data_received(post())
        connection.eof_received()
        connection.connection_lost(None)
        assert owner.gone == 1 and owner.buffered_bytes == 0

    asyncio.run(run())


def test_tiny_chunks_cannot_make_it_work_for_ever() -> None:
    async def run() -> None:
        owner = Owner(Limits(body_bytes_max=100_000))
        connection, _ = connected(owner)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.data_received(head)
        for _ in range(100):
            connection.data_received(b"1\r\na\r\n" * 100)
        assert owner.refusals == ["bad_http"]

    asyncio.run(run())
