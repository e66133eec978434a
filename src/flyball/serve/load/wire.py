"""How is one request of a load sent and timed over HTTP/1.1, at little cost per chunk?

Streams are not parsed: `data:` events are counted by bytes and only the last few kilobytes are
kept, where the token usage and the end mark stand. So one core sends thousands of streams a second.
"""

import asyncio
import ssl
from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec

from flyball.units import Seconds, Tokens

TAIL_BYTES = 4096
_EVENT = b"data: {"
_DONE = b"data: [DONE]"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests go: `base` is the path before /v1, "" if none. `tls` = https."""

    host: str
    port: int
    base: str
    tls: bool

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def origin(url: str) -> Origin:
    """The parts of a base URL (`http://host:8080`, with or without `/v1`); ValueError if wrong."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL such as http://127.0.0.1:8080")
    tls = parts.scheme == "https"
    base = parts.path.rstrip("/").removesuffix("/v1")
    return Origin(host=parts.hostname, port=parts.port or (443 if tls else 80), base=base, tls=tls)


class Exchange:
    """One request on its way and what came back. Times are of `perf_counter`; 0 = not yet.

    `cause` "" = an answer came, whole or refused; otherwise why there is none: connect, reset,
    early-close (bytes had come), garbage, timeout, impatient, stopped.
    """

    __slots__ = (
        "body",
        "cause",
        "due",
        "events",
        "first_at",
        "head",
        "label",
        "last_at",
        "number",
        "patience_s",
        "request_id",
        "retries",
        "retry_after_s",
        "sent_at",
        "should_retry",
        "status",
        "tail",
    )

    def __init__(self, number: int, label: str, head: bytes, body: bytes, due: float) -> None:
        self.number = number
        self.label = label
        self.head = head
        self.body = body
        self.due = due
        self.patience_s = inf
        self.retries = 0
        self.reset()

    def reset(self) -> None:
        """Forgets the last attempt, so that the request can be sent again."""
        self.cause = ""
        self.events = 0
        self.first_at = self.last_at = self.sent_at = 0.0
        self.request_id = ""
        self.retry_after_s = 0.0
        self.should_retry = ""
        self.status = 0
        self.tail = b""

    def bare_head(self) -> bytes:
        """The head with the retry count that clients of the OpenAI API send, then a blank line."""
        if self.retries:
            return self.head + b"x-stainless-retry-count: %d\r\n\r\n" % self.retries
        return self.head + b"\r\n"


class Usage(msgspec.Struct):
    """Token counts as the server gives them."""

    prompt_tokens: Tokens = 0
    completion_tokens: Tokens = 0
    prompt_tokens_details: dict[str, int | None] | None = None

    @property
    def cached_tokens(self) -> Tokens:
        """Prompt tokens that came from the prefix cache; 0 if the server does not tell."""
        return (self.prompt_tokens_details or {}).get("cached_tokens") or 0


class _Fault(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None


class _Event(msgspec.Struct):
    usage: Usage | None = None
    error: _Fault | str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class Ending(msgspec.Struct, frozen=True):
    """What the end of an answer tells: usage if given, an error's code, and the end mark."""

    usage: Usage
    error: str
    whole: bool


def ending(exchange: Exchange) -> Ending:
    """Reads the kept tail of an answer: the last events of a stream, or one JSON body."""
    tail = exchange.tail
    usage, error, readable = None, "", False
    if exchange.events:
        lines = [line[6:] for line in tail.split(b"\n") if line.startswith(_EVENT)]
    else:
        lines = [tail]
    for line in reversed(lines):
        try:
            event = _decode(line)
        except msgspec.DecodeError:
            continue
        readable = True
        usage = usage or event.usage
        error = error or _code(event.error)
    whole = _DONE in tail if exchange.events else readable
    return Ending(usage or Usage(), error, whole)


def _code(fault: _Fault | str | None) -> str:
    if fault is None or isinstance(fault, str):
        return "error" if fault else ""
    return str(fault.code or fault.type or "error")


class Connection(asyncio.Protocol):
    """A keep-alive connection that carries one exchange at a time."""

    def __init__(self, ended: Callable[["Connection", Exchange], None]) -> None:
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._carry = b""
        self._framed = False
        self.used = 0

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, exchange: Exchange) -> None:
        """Writes the request at once; `ended` is called once, when the answer is over."""
        assert self._transport is not None
        self._exchange = exchange
        self._carry = b""
        self.used += 1
        self._framed = False
        self._transport.write(exchange.bare_head() + exchange.body)

    def abort(self, cause: str) -> None:
        """Closes at once and reports the exchange under way as failed by `cause`."""
        self._finish(cause)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self._close()
            return
        exchange.last_at = perf_counter()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._finish("garbage")

    def connection_lost(self, exc: Exception | None) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if not exchange.last_at:
            self._finish("reset")
        else:  # without a length, the end of the connection is the end of the answer
            self._finish("early-close" if exc or self._framed else "")

    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        lower = name.lower()
        if lower == b"x-flyball-request-id" or (
            lower == b"x-request-id" and not exchange.request_id
        ):
            exchange.request_id = value.decode("latin-1")
        elif lower in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif lower == b"retry-after" and value.isdigit():
            exchange.retry_after_s = max(exchange.retry_after_s, float(value))
        elif lower == b"x-should-retry":
            exchange.should_retry = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._exchange is not None:
            self._exchange.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        seen = self._carry + body
        found = seen.count(_EVENT)
        self._carry = seen[1 - len(_EVENT) :]
        if not exchange.first_at and (found or exchange.status >= 400):
            exchange.first_at = exchange.last_at
        exchange.events += found
        tail = exchange.tail + body if len(body) < TAIL_BYTES else body
        exchange.tail = tail[-TAIL_BYTES:]

    def on_message_complete(self) -> None:
        if self._exchange is not None and self._exchange.status >= 200:
            self._finish("")

    def _finish(self, cause: str) -> None:
        exchange, self._exchange = self._exchange, None
        if cause or not self._parser.should_keep_alive():
            self._close()
        if exchange is not None:
            exchange.cause = cause
            self._ended(self, exchange)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """Keep-alive connections to one origin, at most `connections_max`, newest used first.

    `ended` gets every exchange exactly once. A request that a kept connection lost before any byte
    of an answer came (the server closed it meanwhile) is sent once more on a new connection.
    """

    def __init__(
        self, target: Origin, connections_max: int, ended: Callable[[Exchange], None]
    ) -> None:
        self._target = target
        self._max = connections_max
        self._report = ended
        self._idle: list[Connection] = []
        self._busy: dict[Connection, Exchange] = {}
        self._opening: dict[asyncio.Task[None], Exchange] = {}
        self._room = asyncio.Event()
        self._tls = ssl.create_default_context() if target.tls else None
        self.connections_opened = 0

    @property
    def in_flight(self) -> int:
        """Requests under way, those still connecting included."""
        return len(self._busy) + len(self._opening)

    async def room(self) -> None:
        """Waits until another request may be sent."""
        while self.in_flight >= self._max:
            self._room.clear()
            await self._room.wait()

    def send(self, exchange: Exchange) -> None:
        """Sends on an idle connection, else on a new one."""
        exchange.sent_at = perf_counter()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                self._busy[connection] = exchange
                connection.send(exchange)
                return
        task = asyncio.get_running_loop().create_task(self._open(exchange))
        self._opening[task] = exchange
        task.add_done_callback(self._opened)

    async def _open(self, exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        target = self._target
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self._on_end), target.host, target.port, ssl=self._tls
            )
        except (OSError, UnicodeError, asyncio.CancelledError) as error:
            exchange.cause = "stopped" if isinstance(error, asyncio.CancelledError) else "connect"
            return
        self.connections_opened += 1
        self._busy[connection] = exchange
        connection.send(exchange)

    def _opened(self, task: "asyncio.Task[None]") -> None:
        exchange = self._opening.pop(task)
        if task.cancelled():
            exchange.cause = "stopped"
        elif task.exception() is not None:  # never lose a request, whatever went wrong
            exchange.cause = "client-fault"
        if exchange.cause:
            self._room.set()
            self._report(exchange)

    def _on_end(self, connection: Connection, exchange: Exchange) -> None:
        self._busy.pop(connection, None)
        if exchange.cause == "reset" and connection.used > 1:
            exchange.reset()
            self.send(exchange)
            return
        if connection.is_open:
            self._idle.append(connection)
        self._room.set()
        self._report(exchange)

    def expire(self, timeout_s: Seconds) -> None:
        """Gives up requests sent more than `timeout_s` ago (cause "timeout"), and those without a
        first event of an answer for longer than their own patience (cause "impatient")."""
        now = perf_counter()
        oldest = now - timeout_s
        for connection, exchange in list(self._busy.items()):
            if exchange.sent_at < oldest:
                connection.abort("timeout")
            elif not exchange.first_at and now - exchange.sent_at > exchange.patience_s:
                connection.abort("impatient")
        for task, exchange in list(self._opening.items()):
            if exchange.sent_at < oldest:
                task.cancel()

    async def close(self) -> None:
        """Gives up what is under way (cause "stopped") and closes every connection."""
        for connection in list(self._busy):
            connection.abort("stopped")
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for connection in self._idle:
            connection.abort("stopped")
        self._idle.clear()
