"""How does a feed go from one governor to another as server-sent events over HTTP?

`GET /flyball/feeds/revocations?after=N&nonce=X` answers with a stream of `text/event-stream`:
`id: SEQUENCE`, `event: entry`, `data: LINE` for each entry after N, and `event: beat` each second
and after each batch. A reader that does not read is let go: nothing is queued for it but what the
socket holds.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from typing import cast

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from flyball.authority.revocation.feed import LINE_BYTES_MAX, Kind
from flyball.serve.feeds.own import OwnFeed
from flyball.units import Bytes, Seconds

PATH = "/flyball/feeds/revocations"
BEAT_S: Seconds = 1.0
WRITE_S_MAX: Seconds = 5.0
CONNECT_S_MAX: Seconds = 3.0
SILENCE_S_MAX: Seconds = 3.0
READERS_MAX = 64
SOCKET_BYTES: Bytes = 1 << 16
NONCE_CHARS_MAX = 64


class Telling:
    """Tells this site's feed to those who listen, at most `READERS_MAX` at a time."""

    def __init__(self, feed: OwnFeed) -> None:
        self._feed = feed
        self._readers: set[asyncio.Task[None]] = set()

    @property
    def readers_count(self) -> int:
        """How many listen now."""
        return len(self._readers)

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """Answer one listener, for as long as it reads. Who may listen is settled before."""
        after, nonce = request.query.get("after", "0"), request.query.get("nonce", "")
        if not after.isdecimal() or len(after) > 12 or not 0 < len(nonce) <= NONCE_CHARS_MAX:
            return web.json_response({"error": "give after=N and nonce=TEXT"}, status=400)
        if len(self._readers) >= READERS_MAX:
            return web.json_response({"error": "too many listen already"}, status=503)
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream", "cache-control": "no-store"}
        )
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._readers.add(task)
        try:
            await response.prepare(request)
            _bound(request.transport)
            await self._stream(response, int(after), nonce)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._readers.discard(task)
        return response

    def stop(self) -> None:
        """Let every listener go."""
        for task in self._readers:
            task.cancel()

    async def _stream(self, response: web.StreamResponse, after: int, nonce: str) -> None:
        while True:
            while lines := self._feed.lines(after):
                parts = [
                    b"id: %d\nevent: entry\ndata: %b\n\n" % (number, line)
                    for number, line in enumerate(lines, after + 1)
                ]
                await self._write(response, b"".join(parts))
                after += len(lines)
            sequence, line = self._feed.beat(nonce)
            await self._write(response, b"event: beat\ndata: %b\n\n" % line)
            await self._feed.more(max(after, sequence), BEAT_S)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        await asyncio.wait_for(response.write(data), WRITE_S_MAX)


class EventStream:
    """Another site's feed over HTTP: a `Feed`. `authorize(target)` = the header that says who we
    are, made anew for each connection. Raises OSError when the way is broken or refused."""

    def __init__(
        self,
        base_url: str,
        authorize: Callable[[str], str],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._authorize = authorize
        self._tls = tls

    async def follow(self, after: int, nonce: str) -> AsyncGenerator[tuple[Kind, bytes], None]:
        """As `Feed.follow`."""
        target = f"{PATH}?after={after}&nonce={nonce}"
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_S_MAX, sock_read=SILENCE_S_MAX
        )
        try:
            async with aiohttp.ClientSession(
                timeout=timeout, read_bufsize=2 * LINE_BYTES_MAX
            ) as session:
                fields = {"authorization": self._authorize(target)}
                async with session.get(
                    self._base_url + target, headers=fields, ssl=self._tls or True
                ) as answer:
                    if answer.status != 200:
                        text = (await answer.content.read(300)).decode(errors="replace")
                        raise OSError(f"it answers {answer.status}: {text}")
                    async for one in events(answer.content):
                        yield one
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise OSError(f"{type(fault).__name__}: {fault}"[:200]) from None


def _bound(transport: asyncio.Transport | None) -> None:
    """What may wait for a reader, in our buffer and in the kernel's."""
    if transport is not None:
        transport.set_write_buffer_limits(high=SOCKET_BYTES)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)


async def events(stream: aiohttp.StreamReader) -> AsyncGenerator[tuple[Kind, bytes], None]:
    """The entries and beats of an event stream; what is neither is passed over (WHATWG HTML 9.2).

    Raises OSError for a line longer than any entry's.
    """
    kind, data = b"", b""
    while True:
        try:
            line = await stream.readline()
        except (ValueError, LineTooLong):
            raise OSError("a line of the stream is too long") from None
        if not line.endswith(b"\n"):
            return
        name, _, value = line.rstrip(b"\r\n").partition(b":")
        if not line.strip():
            if kind in (b"entry", b"beat") and data:
                yield cast("Kind", kind.decode()), data
            kind, data = b"", b""
        elif name == b"event":
            kind = value.strip()
        elif name == b"data":
            data += value.removeprefix(b" ")
            if len(data) > 2 * LINE_BYTES_MAX:
                raise OSError("an event of the stream is too long")
