"""What does a client send, one request at a time, and how is it kept within its limits?

One object per connection. It reads heads and bodies, refuses what is malformed, too large or too
slow, keeps pipelined requests waiting in order, and hands each whole request to its `Owner`, which
answers through `write` and `answered`.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from flyball.model.faults import Refusal
from flyball.serve.config.limits import Limits
from flyball.serve.relay.chunks import ChunkScan
from flyball.serve.relay.heads import CHUNKED, BadHead, Request, has_bare_lf, read_request
from flyball.serve.relay.wheel import Wheel
from flyball.units import Bytes, Seconds

HEAD, LENGTH_BODY, CHUNKED_BODY, BUSY, LINGER, CLOSED = range(6)
PIPELINED_RUN_MAX = 16
CHUNKS_BASE_MAX = 1024
CHUNK_BYTES_MEAN_MIN: Bytes = 64
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Owner(Protocol):
    """The owner of all client connections."""

    limits: Limits
    wheel: Wheel
    draining: bool
    buffered_bytes: Bytes
    connections: "set[Downstream]"

    def now(self) -> Seconds:
        """Unix seconds that never go backward."""
        ...

    def on_request(self, connection: "Downstream", request: Request) -> None:
        """A request is whole: answer it now or later."""
        ...

    def on_gone(self, connection: "Downstream") -> None:
        """The client went away while it was owed an answer."""
        ...

    def on_writable(self, connection: "Downstream", writable: bool) -> None:
        """The client reads too slowly to be sent more, or reads again."""
        ...

    def refuse(self, connection: "Downstream", request: Request | None, refusal: Refusal) -> None:
        """Answer with a refusal made before the core saw the request."""
        ...


class Downstream:
    """One client connection. `exchange` is the owner's: what it does for the request at hand;
    `write` sends bytes as they are (the transport's own, as each chunk of a stream passes it).

    An `asyncio.Protocol` by its methods; not by inheritance, as compiled classes have no
    interpreted bases.
    """

    __slots__ = (
        "_at",
        "_body",
        "_is_driving",
        "_is_held",
        "_owner",
        "_part",
        "_rest",
        "_scan",
        "_transport",
        "_unread",
        "due_at",
        "exchange",
        "phase",
        "request",
        "wheel_key",
        "writable",
        "write",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport = cast(asyncio.Transport, None)
        self._part = bytearray()
        self._rest = b""
        self._body: bytearray | None = None
        self._unread: Bytes = 0
        self._scan: ChunkScan | None = None
        self._at = 0
        self._is_driving = False
        self._is_held = False
        self.request: Request | None = None
        self.exchange: object = None
        self.phase = HEAD
        self.writable = True
        self.write = cast(Callable[[bytes], None], None)
        self.due_at: Seconds = 0.0
        self.wheel_key = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected (and, with TLS, shaken hands)."""
        self._transport = cast(asyncio.Transport, transport)
        self.write = self._transport.write
        owner = self._owner
        owner.connections.add(self)
        self._wait(owner.limits.idle_s_max)
        if len(owner.connections) > owner.limits.connections_max:
            owner.refuse(self, None, Refusal(code="overloaded", detail="connections_max reached"))

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._rest:
            if self.phase <= BUSY:
                self._rest = self._rest[self._at :] + data
                self._at = 0
                self._read_on_or_wait()
        elif self.phase == HEAD and not self._part and self._read_whole(data):
            pass
        elif self.phase <= CHUNKED_BODY:
            self._rest = data
            self._drive()
        elif self.phase == BUSY:
            self._rest = data
            self._read_on_or_wait()

    def _read_whole(self, data: bytes) -> bool:
        """The usual case in one step: exactly one request with its body. False = another case, or
        something is wrong: nothing was done."""
        end = data.find(b"\r\n\r\n")
        owner = self._owner
        if end < 0 or end > owner.limits.head_bytes_max:
            return False
        try:
            request = read_request(data[:end])
        except BadHead:
            return False
        size = request.length
        if end + 4 + size != len(data) or size > owner.limits.body_bytes_max:
            return False
        request.body = data[end + 4 :]
        owner.buffered_bytes += size
        self.request = request
        self.phase = BUSY
        owner.on_request(self, request)
        return True

    def _drive(self) -> None:
        """Read what is there, one message after another while answers are made at once."""
        self._is_driving = True
        for _ in range(PIPELINED_RUN_MAX):
            if self.phase == HEAD:
                self._read_head()
            else:
                self._read_body()
            if not self._rest or self.phase > CHUNKED_BODY or not self.writable:
                break
        self._is_driving = False
        if self._rest or self._is_held:
            self._read_on_or_wait()
            if self._rest and self.phase <= CHUNKED_BODY and self.writable:
                asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        if self._rest and self.phase <= CHUNKED_BODY and self.writable and not self._is_driving:
            self._drive()

    def _read_on_or_wait(self) -> None:
        """Read ahead only so far: more waits in the client's own buffers."""
        is_full = len(self._rest) - self._at > self._owner.limits.pipelined_bytes_max
        if is_full and not self._is_held:
            self._transport.pause_reading()
        elif self._is_held and not is_full:
            self._transport.resume_reading()
        self._is_held = is_full

    def _take(self, end: int) -> None:
        """What stands before `end` of what was read is done with."""
        if end < len(self._rest):
            self._at = end
        else:
            self._rest = b""
            self._at = 0

    def _read_head(self) -> None:
        data, at, part = self._rest, self._at, self._part
        limit = self._owner.limits.head_bytes_max
        if part:
            searched = max(0, len(part) - 3)
            before = len(part)
            part += data[at : at + limit + 4]
            if part.startswith(b"\r\n"):
                del part[:2]
                before -= 2
                searched = 0
                if not part:
                    self._take(len(data))
                    return
            end = part.find(b"\r\n\r\n", searched)
            head = bytes(part[: max(end, 0)])
            after = at + end + 4 - before
        else:
            if data.startswith(b"\r\n", at):
                at += 2
            end = data.find(b"\r\n\r\n", at)
            head = data[at:end] if end >= 0 else b""
            after = end + 4
        if len(head) > limit or (end < 0 and max(len(part), len(data) - at) > limit + 3):
            self._refuse("head_too_large", str(limit))
        elif end < 0:
            self._take(len(data))
            self._keep_part(data[at:])
        else:
            if part:
                self._part = bytearray()
            self._take(after)
            self._begin(head)

    def _begin(self, head: bytes) -> None:
        try:
            request = read_request(head)
        except BadHead as bad:
            self._refuse(bad.code, str(bad))
            return
        self.request = request
        if request.length:
            self._begin_body(request)
        else:
            self._complete(request)

    def _keep_part(self, data: bytes) -> None:
        """A head not whole yet: it must look like one, and be whole in time."""
        part = self._part
        if not part and data:
            part += data
            self._wait(self._owner.limits.head_s_max)
        is_head = b"A" <= part[:1] <= b"Z" or part in (b"", b"\r")
        if not is_head or has_bare_lf(part[-len(data) - 2 :]):
            self._refuse("bad_http", "this is not the head of an HTTP/1.1 request")

    def _begin_body(self, request: Request) -> None:
        owner = self._owner
        limit = owner.limits.body_bytes_max
        if request.length > limit:
            self._refuse("body_too_large", str(limit))
            return
        if request.length == CHUNKED:
            self.phase = CHUNKED_BODY
            self._scan = ChunkScan(CHUNKS_BASE_MAX + limit // CHUNK_BYTES_MEAN_MIN)
            self._body = bytearray()
        else:
            end = self._at + request.length
            if len(self._rest) >= end:
                request.body = self._rest[self._at : end]
                owner.buffered_bytes += request.length
                self._take(end)
                self._complete(request)
                return
            self.phase = LENGTH_BODY
            self._unread = request.length
            self._body = bytearray()
        if owner.buffered_bytes > owner.limits.buffered_bytes_max:
            self._refuse("overloaded", "buffered_bytes_max reached")
            return
        if request.expects_continue and not self._rest:
            self._transport.write(_CONTINUE)
        self._wait(owner.limits.body_s_max)

    def _read_body(self) -> None:
        owner = self._owner
        data = self._rest[self._at :] if self._at else self._rest
        self._take(len(self._rest))
        body, request = self._body, self.request
        assert body is not None and request is not None
        before = len(body)
        bad = ""
        end = -1
        if self._scan is None:
            end = self._unread if len(data) >= self._unread else -1
            body += data if end < 0 else data[:end]
            self._unread -= len(body) - before
        else:
            try:
                end = self._scan.feed(data, body)
            except ValueError as error:
                bad = str(error)
        owner.buffered_bytes += len(body) - before
        if bad:
            self._refuse("bad_http", bad)
        elif len(body) > owner.limits.body_bytes_max:
            self._refuse("body_too_large", str(owner.limits.body_bytes_max))
        elif end >= 0:
            if end < len(data):
                self._rest, self._at = data, end
            request.body = bytes(body)
            self._body = self._scan = None
            self._complete(request)
        elif owner.buffered_bytes > owner.limits.buffered_bytes_max:
            self._refuse("overloaded", "buffered_bytes_max reached")

    def _complete(self, request: Request) -> None:
        self.phase = BUSY
        self._owner.on_request(self, request)

    def _refuse(self, code: str, detail: str) -> None:
        """Answer a request that cannot be read, and close: what follows it cannot be trusted."""
        request = self.request if self.phase in (LENGTH_BODY, CHUNKED_BODY) else None
        self._owner.refuse(self, request, Refusal(code=code, detail=detail))

    @property
    def address(self) -> str:
        """The client's network address, "" if it has none."""
        peer = self._transport.get_extra_info("peername")
        return peer[0] if isinstance(peer, tuple) and peer else ""

    @property
    def is_whole(self) -> bool:
        """Whether the request at hand was read to its end, so that another may follow it."""
        return self.phase == BUSY

    def release_body(self) -> None:
        """The request's body is needed no more (its answer has begun)."""
        request = self.request
        if request is not None and request.body:
            self._owner.buffered_bytes -= len(request.body)
            request.body = b""

    def answered(self, keep_alive: bool, now: Seconds) -> None:
        """The answer is whole: go on with the next request, or close after what was written."""
        request = self.request
        if request is not None and request.body:
            self.release_body()
        self.request = None
        self.exchange = None
        if not keep_alive:
            self.linger()
            return
        self.phase = HEAD
        self.due_at = now + self._owner.limits.idle_s_max
        if self._rest:
            self._resume()

    def linger(self) -> None:
        """End the answers, but read on a while: closing on unread bytes would reset the connection
        and the client could lose the answer (RFC 9112 section 9.6)."""
        if self.phase >= LINGER:
            return
        self._drop_request()
        self.phase = LINGER
        self._wait(self._owner.limits.linger_s_max)
        if self._transport.can_write_eof():
            self._read_on_or_wait()
            self._transport.write_eof()
        else:
            self._transport.close()

    def truncate(self) -> None:
        """Close at once, in the middle of an answer, so that the client sees it is not whole."""
        self._drop_request()
        self.phase = CLOSED
        self._wait(self._owner.limits.linger_s_max)
        self._transport.close()

    def _drop_request(self) -> None:
        """Give back what the unfinished or answered request held."""
        self.release_body()
        if self._body is not None:
            self._owner.buffered_bytes -= len(self._body)
        self._body = self._scan = None
        self._part = bytearray()
        self._take(len(self._rest))
        self.request = None
        self.exchange = None

    def close_if_idle(self) -> None:
        """Close if the client is owed nothing."""
        if self.phase == HEAD and not self._part:
            self._transport.close()

    def _wait(self, seconds: Seconds) -> None:
        now = self._owner.now()
        self.due_at = now + seconds
        self._owner.wheel.watch(self, now)

    def expire(self, now: Seconds) -> None:
        """Time is up for what the client had to do; or nothing was due and the wait begins anew."""
        limits = self._owner.limits
        if self.phase in (LENGTH_BODY, CHUNKED_BODY):
            self._refuse("request_timeout", f"{limits.body_s_max:g}")
        elif self.phase == HEAD and self._part:
            self._refuse("request_timeout", f"{limits.head_s_max:g}")
        elif self.phase != BUSY or not self.writable:
            self._transport.abort()
        else:
            self._wait(limits.idle_s_max)

    def pause_writing(self) -> None:
        """The client reads more slowly than the engine answers."""
        self.writable = False
        self._wait(self._owner.limits.write_s_max)
        self._owner.on_writable(self, False)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.writable = True
        self._owner.on_writable(self, True)
        self._resume()

    def eof_received(self) -> bool:
        """The client closed its sending side. Like nginx, Envoy and Go's net/http this is taken as
        "gone" while an answer is owed, since closing altogether looks the same and an engine must
        not work for nobody. Written bytes are still flushed."""
        if self.phase == BUSY:
            self._gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        if self.phase == BUSY:
            self._gone()
        self._drop_request()
        self.phase = CLOSED
        self._owner.wheel.drop(self)
        self._owner.connections.discard(self)

    def _gone(self) -> None:
        self.phase = CLOSED
        self._owner.on_gone(self)
