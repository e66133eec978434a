"""What do tests of the data plane need? Raw engines, a scripted core, a gateway and a raw client.

Engines here are byte scripts over real sockets, so that a test says exactly what went wrong and
when.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from flyball.governor.commands import Abort, Command, Forward, Notice, Reject
from flyball.governor.events import AttemptFailed, DeadlinePassed, Event, RequestArrived
from flyball.model.decision import Allowance
from flyball.model.faults import Refusal
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.serve.config.limits import Limits
from flyball.serve.relay.gateway import Gateway, Routes
from flyball.serve.relay.sinks import OPEN, Entrances, Sinks
from support.fleets import H100

CHAT_BODY = b'{"model":"m","messages":[{"role":"user","content":"hello"}]}'
STREAM_BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}'
ANSWER_BODY = (
    b'{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER_BODY),
    ANSWER_BODY,
)
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"


def post(
    body: bytes = CHAT_BODY, extra: bytes = b"", path: bytes = b"/v1/chat/completions"
) -> bytes:
    """A whole request; `extra` = further field lines, each with its CR LF."""
    return (
        b"POST %b HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n%b"
        b"Content-Length: %d\r\n\r\n%b" % (path, extra, len(body), body)
    )


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ScriptCore:
    """A core that sends everything to `endpoints` in turn and retries on the next one."""

    def __init__(self, endpoints: int = 1, attempts_max: int = 1, deadline_s: float = 30.0) -> None:
        self.endpoints = endpoints
        self.attempts_max = attempts_max
        self.deadline_s = deadline_s
        self.events: list[Event] = []
        self.on_arrival: Callable[[RequestArrived], list[Command] | None] = lambda event: None
        self._attempts: dict[str, int] = {}
        self._arrived: dict[str, float] = {}

    def handle(self, event: Event) -> list[Command]:
        self.events.append(event)
        if isinstance(event, RequestArrived):
            self._arrived[event.request_id] = event.at
            answer = self.on_arrival(event)
            return [self.forward(event.request_id)] if answer is None else answer
        if isinstance(event, AttemptFailed):
            refusal = Refusal(code="upstream_failed", detail=f"{event.cause} {event.detail}")
            if event.started:
                return [Abort(event.request_id, refusal)]
            if self._attempts[event.request_id] < self.attempts_max:
                return [self.forward(event.request_id)]
            return [Reject(event.request_id, refusal)]
        if isinstance(event, DeadlinePassed):
            return [Abort(event.request_id, Refusal(code="deadline_exceeded", detail="x"))]
        return []

    def forward(self, request_id: str) -> Forward:
        """Send it to the next endpoint."""
        attempt = self._attempts[request_id] = self._attempts.get(request_id, 0) + 1
        allowance = Allowance(
            tokens_offered=10,
            tokens_kept=10,
            output_tokens_max=64,
            attempts_max=self.attempts_max,
            deadline_at=self._arrived[request_id] + self.deadline_s,
        )
        endpoint = (attempt - 1) % self.endpoints
        return Forward(request_id, attempt, endpoint, (), allowance, 0.0015, 4, "price", "chat")

    def seen(self, kind: type) -> list[Event]:
        """The events of that kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


Handler = Callable[["Engine", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Engine:
    """A raw server: `serve` is called for each connection and may do anything to it."""

    def __init__(self, serve: Handler | bytes) -> None:
        self.serve = serve
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.was_closed = False  # a test may keep what it saw before the end
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self, tls: ssl.SSLContext | None = None) -> "Engine":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """One request, head and body; kept in `requests`. IncompleteReadError at the end."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            if isinstance(self.serve, bytes):
                while True:
                    await self.read(reader)
                    writer.write(self.serve)
                    await writer.drain()
            await self.serve(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.close()


class Client:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and fields of the next answer."""
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        lines = raw.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), {name.lower(): value for name, value in fields.items()}

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer, whole; its body without framing."""
        status, fields = await self.head()
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, await self.chunks()
        if "content-length" in fields:
            size = int(fields["content-length"])
            return status, fields, await asyncio.wait_for(self.reader.readexactly(size), 10)
        return status, fields, await self.rest()

    async def chunks(self) -> bytes:
        """A chunked body. IncompleteReadError if it is cut off."""
        body = b""
        while True:
            line = await asyncio.wait_for(self.reader.readuntil(b"\r\n"), 10)
            data = await asyncio.wait_for(self.reader.readexactly(int(line, 16) + 2), 10)
            if data == b"\r\n":
                return body
            body += data[:-2]

    async def rest(self) -> bytes:
        """Everything up to the end of the connection, however it ends."""
        got = b""
        try:
            while data := await asyncio.wait_for(self.reader.read(1 << 16), 10):
                got += data
        except ConnectionError:
            pass
        return got

    def close(self) -> None:
        self.writer.transport.abort()


class Bench:
    """A gateway with its engines and core."""

    def __init__(self, gateway: Gateway, core: ScriptCore, engines: list[Engine]) -> None:
        self.gateway = gateway
        self.core = core
        self.engines = engines
        self.notices: list[Notice] = []
        self._clients: list[Client] = []

    async def client(self, tls: ssl.SSLContext | None = None) -> Client:
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.gateway.port, ssl=tls, server_hostname=name, limit=1 << 22
        )
        client = Client(reader, writer)
        self._clients.append(client)
        return client

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own."""
        client = await self.client()
        await client.send(request)
        return await client.answer()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for engine in self.engines:
            engine.stop()


def fleet_of(ports: list[int], scheme: str = "http", served_model: str = "") -> Fleet:
    """One pool of endpoints on this machine."""
    pool = Pool(
        name="p", site="s", models=("m",), engine="vllm", profile=H100, served_model=served_model
    )
    endpoints = tuple(
        Endpoint(name=f"e{i}", pool="p", url=f"{scheme}://localhost:{port}")
        for i, port in enumerate(ports)
    )
    return Fleet(sites=(Site(name="s", jurisdiction="EU"),), pools=(pool,), endpoints=endpoints)


@asynccontextmanager
async def bench(
    *serves: Handler | bytes,
    core: ScriptCore | None = None,
    limits: Limits | None = None,
    routes: Routes | None = None,
    entrances: Entrances = OPEN,
    engine_tls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    served_model: str = "",
) -> AsyncIterator[Bench]:
    """A gateway in front of one raw engine per argument."""
    engines = [await Engine(serve).start(engine_tls) for serve in serves]
    core = core or ScriptCore(len(engines))
    ports = [engine.port for engine in engines]
    fleet = fleet_of(ports, "https" if engine_tls else "http", served_model)
    notices: list[Notice] = []
    records: list[object] = []
    sinks = Sinks(
        record=records.append,
        solve=records.append,
        publish=records.append,
        report=records.append,
        notice=notices.append,
    )
    page = {
        (b"GET", b"/healthz"): lambda request: (200, [(b"content-type", b"text/plain")], b"ok\n")
    }
    gateway = Gateway(core, fleet, sinks, limits=limits, routes=routes or page, entrances=entrances)
    await gateway.listen("127.0.0.1", 0, tls=tls)
    made = Bench(gateway, core, engines)
    made.notices = notices
    try:
        yield made
    finally:
        made.close()
        await gateway.drain(0.0)


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for something; AssertionError if it does not happen."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while not true():
        assert loop.time() < end, "it did not happen in time"
        await asyncio.sleep(0.002)
