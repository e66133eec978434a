"""How does a request reach one endpoint, and how do the bytes of its answer come back untouched?

`EndpointPool` keeps idle connections of one endpoint; `Upstream` is one connection. The body's
framing is followed only to find its end: bytes are handed on as they came. Whoever waits for the
answer (`Attempt`) is told of each part once, and of at most one failure.
"""

import asyncio
import ssl
from typing import NamedTuple, Protocol, cast
from urllib.parse import urlsplit

from flyball.serve.config.limits import KIB, Limits
from flyball.serve.relay.chunks import ChunkScan
from flyball.serve.relay.heads import CHUNKED, UNTIL_END, BadHead, Response, read_response
from flyball.units import Bytes, Seconds

DEFAULT_PORTS = {"http": 80, "https": 443}
COPIED_BODY_BYTES_MAX: Bytes = 16 * KIB


class Address(NamedTuple):
    """Where one endpoint listens, from its URL. `authority` = the value of the Host field."""

    host: str
    port: int
    is_tls: bool
    base_path: bytes
    authority: bytes


def read_address(url: str) -> Address:
    """scheme://host[:port][/base-path]. ValueError if it is not one. A base path that ends in /v1
    is taken as the usual base URL of a client: the version stands in the request's path already."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not http://host[:port] or https://host[:port]")
    base = parts.path.rstrip("/").removesuffix("/v1")
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port == DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
    return Address(
        host=parts.hostname,
        port=port,
        is_tls=parts.scheme == "https",
        base_path=base.encode("ascii"),
        authority=authority.encode("idna"),
    )


class Attempt(Protocol):
    """Who waits for an answer. `upstream` still names the failed connection in `on_failed`."""

    upstream: "Upstream | None"
    is_resent: bool

    def on_whole(self, response: Response, data: bytes) -> None:
        """A whole answer, that came in one piece."""
        ...

    def on_head(self, response: Response) -> None:
        """The head of the final answer."""
        ...

    def on_body(self, data: bytes, is_last: bool) -> None:
        """Some of the body, framing included unless decoding was asked for."""
        ...

    def on_failed(self, cause: str, detail: str) -> None:
        """No answer, or no more of it: connect, tls, reset, early-close or garbage."""
        ...


class EndpointPool:
    """Connections to one endpoint, last used first; never more than `upstream_connections_max`."""

    __slots__ = ("_idle", "_limits", "_loop", "_open", "_retired", "_tasks", "_tls", "address")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        address: Address,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._tls = (tls or ssl.create_default_context()) if address.is_tls else None
        self._idle: list[Upstream] = []
        self._open = 0
        self._retired = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = address

    def send(self, attempt: Attempt, method: bytes, parts: "Parts") -> None:
        """Send one request: over an idle connection at once, else over a new one when it is up."""
        oldest = self._loop.time() - self._limits.upstream_idle_s_max
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since >= oldest and not connection.is_closing():
                connection.send(attempt, method, parts)
                return
            connection.close()
        self.send_fresh(attempt, method, parts)

    def send_fresh(self, attempt: Attempt, method: bytes, parts: "Parts") -> None:
        """Send one request over a new connection."""
        if self._open >= self._limits.upstream_connections_max:
            self._loop.call_soon(
                attempt.on_failed, "connect", "all connections to the endpoint are in use"
            )
            return
        self._open += 1
        connection = Upstream(self)
        connection.attempt = attempt
        attempt.upstream = connection
        task = self._loop.create_task(self._connect(connection, method, parts))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: "Upstream", method: bytes, parts: "Parts") -> None:
        address = self.address
        try:
            async with asyncio.timeout(self._limits.connect_s_max):
                await self._loop.create_connection(
                    lambda: cast(asyncio.Protocol, connection),
                    address.host,
                    address.port,
                    ssl=self._tls,
                    server_hostname=address.host if self._tls else None,
                )
        except ssl.SSLError as error:
            self._fail(connection, "tls", str(error))
        except TimeoutError:
            self._fail(connection, "connect", f"not within {self._limits.connect_s_max:g} s")
        except OSError as error:
            self._fail(connection, "connect", error.strerror or str(error))
        else:
            attempt = connection.attempt
            if attempt is None:
                self.keep(connection)
            else:
                connection.send(attempt, method, parts)

    def _fail(self, connection: "Upstream", cause: str, detail: str) -> None:
        if not connection.was_made:
            self._open -= 1
        attempt, connection.attempt = connection.attempt, None
        if attempt is not None:
            attempt.on_failed(cause, detail)

    def keep(self, connection: "Upstream") -> None:
        """An answer is whole and the connection can serve another request."""
        if self._retired:
            connection.close()
        else:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)

    def forget(self, connection: "Upstream") -> None:
        """A connection that had been made is closed."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)

    def expire(self, now: Seconds) -> None:
        """Close connections idle for too long; `now` is the event loop's time."""
        oldest = now - self._limits.upstream_idle_s_max
        stale = 0
        while stale < len(self._idle) and self._idle[stale].idle_since < oldest:
            stale += 1
        closing, self._idle = self._idle[:stale], self._idle[stale:]
        for connection in closing:
            connection.close()

    def retire(self) -> None:
        """The endpoint left the fleet: close what idles, let what runs end."""
        self._retired = True
        for connection in self._idle[:]:
            connection.close()


class Parts(NamedTuple):
    """A request as it is sent: head with its empty line, body; whether chunks are to be decoded."""

    head: bytes
    body: bytes
    decode: bool = False


_READ_HEAD, _READ_BODY, _IDLE = range(3)


class Upstream:
    """One connection to an endpoint; it serves one attempt at a time.

    An `asyncio.Protocol` by its methods; not by inheritance, as compiled classes have no
    interpreted bases.
    """

    __slots__ = (
        "_decode",
        "_is_large",
        "_keep",
        "_left",
        "_method",
        "_part",
        "_parts",
        "_phase",
        "_pool",
        "_scan",
        "_transport",
        "_uses",
        "attempt",
        "idle_since",
        "was_made",
    )

    def __init__(self, pool: EndpointPool) -> None:
        self._pool = pool
        self._transport = cast(asyncio.Transport, None)
        self._phase = _IDLE
        self._part = b""
        self._parts: Parts | None = None
        self._method = b""
        self._scan: ChunkScan | None = None
        self._left: Bytes = 0
        self._decode = False
        self._is_large = False
        self._keep = True
        self._uses = 0
        self.was_made = False
        self.attempt: Attempt | None = None
        self.idle_since: Seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up (and, with TLS, the endpoint's certificate was accepted)."""
        self._transport = cast(asyncio.Transport, transport)
        self.was_made = True

    def send(self, attempt: Attempt, method: bytes, parts: Parts) -> None:
        """Write one request; `attempt` is told of the answer."""
        self.attempt = attempt
        attempt.upstream = self
        self._phase = _READ_HEAD
        self._method = method
        self._parts = parts
        self._keep = True
        self._uses += 1
        self._decode = parts.decode
        self._is_large = len(parts.body) > COPIED_BODY_BYTES_MAX
        if not self._is_large:
            self._transport.write(parts.head + parts.body)
        else:
            self._transport.writelines((parts.head, parts.body))

    def is_closing(self) -> bool:
        """Whether it can carry no further request."""
        return self._transport.is_closing()

    def is_between_chunks(self) -> bool:
        """Whether what was relayed so far ends with a whole chunk."""
        return self._scan is not None and self._scan.between_chunks

    def close(self) -> None:
        """Close, once what was written is sent."""
        self._transport.close()

    def abandon(self) -> None:
        """The answer is wanted no more: let the endpoint see that at once."""
        self.attempt = None
        self._parts = None
        if self.was_made:
            self._transport.abort()

    def set_flow(self, flowing: bool) -> None:
        """Stop or go on reading the answer, as fast as its reader takes it."""
        if self.was_made and not self._transport.is_closing():
            if flowing:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer. Each chunk of each stream passes here: nothing is called that need
        not be."""
        attempt, scan = self.attempt, self._scan
        if attempt is None:
            if self._phase != _READ_BODY:
                self._transport.abort()
        elif self._phase != _READ_BODY:
            self._read_head(attempt, data)
        elif scan is None:
            self._read_counted(attempt, data)
        elif self._decode:
            self._read_decoded(attempt, scan, data)
        else:
            try:
                end = scan.feed(data)
            except ValueError as bad:
                self._break("garbage", str(bad))
                return
            if end < 0:
                attempt.on_body(data, False)
            else:
                self._finish(attempt, data, end)

    def _read_head(self, attempt: Attempt, data: bytes) -> None:
        self._parts = None
        if self._part:
            data = self._part + data
            self._part = b""
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                if len(data) > self._pool._limits.upstream_head_bytes_max:
                    self._break("garbage", "the head of the answer is too large")
                elif data[:5] != b"HTTP/"[: len(data)]:
                    self._break("garbage", "the answer is not HTTP/1.1")
                else:
                    self._part = data
                return
            try:
                response = read_response(data[: end - 4], self._method)
                if response.status == 101:
                    raise BadHead("101 without being asked to switch protocols")
            except BadHead as bad:
                self._break("garbage", str(bad))
                return
            data = data[end:]
            if response.status >= 200:
                break
        if response.length == len(data):
            self._keep = response.keep_alive
            self._release(attempt)
            attempt.on_whole(response, data)
            return
        self._begin_body(response)
        attempt.on_head(response)
        if self.attempt is attempt and (data or not response.length):
            self.data_received(data)

    def _begin_body(self, response: Response) -> None:
        self._phase = _READ_BODY
        self._keep = response.keep_alive
        self._left = response.length
        self._scan = ChunkScan() if response.length == CHUNKED else None

    def _read_counted(self, attempt: Attempt, data: bytes) -> None:
        """A body of a known length, or one that ends with the connection."""
        if self._left == UNTIL_END:
            attempt.on_body(data, False)
        elif len(data) < self._left:
            self._left -= len(data)
            attempt.on_body(data, False)
        else:
            self._finish(attempt, data, self._left)

    def _read_decoded(self, attempt: Attempt, scan: ChunkScan, data: bytes) -> None:
        """Chunks for a client that does not understand them."""
        body = bytearray()
        try:
            end = scan.feed(data, body)
        except ValueError as bad:
            self._break("garbage", str(bad))
            return
        if end >= 0:
            self._keep = self._keep and end == len(data)
            self._finish(attempt, bytes(body), len(body))
        elif body:
            attempt.on_body(bytes(body), False)

    def _finish(self, attempt: Attempt, data: bytes, end: int) -> None:
        """The answer ends at `end` of `data`: give the connection back before telling, so that the
        next request can already use it."""
        if end < len(data):
            self._keep = False
            data = data[:end]
        self._release(attempt)
        attempt.on_body(data, True)

    def _release(self, attempt: Attempt) -> None:
        if self._is_large and self._transport.get_write_buffer_size():
            self._keep = False
        self.attempt = attempt.upstream = None
        self._phase = _IDLE
        if self._keep:
            self._pool.keep(self)
        else:
            self._transport.close()

    def _break(self, cause: str, detail: str) -> None:
        """The endpoint failed: close, and tell who waits."""
        attempt = self.attempt
        self.abandon()
        if attempt is not None:
            attempt.on_failed(cause, detail)

    def eof_received(self) -> bool:
        """The endpoint closed: an answer without a length ends so; else see `connection_lost`."""
        attempt = self.attempt
        if attempt is not None and self._phase == _READ_BODY and self._left == UNTIL_END:
            self._keep = False
            self._finish(attempt, b"", 0)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone. One that was idle before is replaced once, unseen by the core:
        the endpoint had closed it as the request set out, so it read none of it."""
        self._pool.forget(self)
        attempt, self.attempt = self.attempt, None
        if attempt is None:
            return
        parts, self._parts = self._parts, None
        if self._uses > 1 and parts is not None and not attempt.is_resent:
            attempt.is_resent = True
            self._pool.send_fresh(attempt, self._method, parts)
            return
        attempt.on_failed(
            "early-close" if exc is None else "reset",
            "the engine closed the connection before the answer was whole",
        )
