"""How is one small page read again and again from the same place, cheaply?

One kept connection per page and llhttp (through httptools) on it: about a tenth of the CPU of a
general HTTP client, which matters as metrics are read ten times a second from every engine. GET
only, one at a time, no redirects, no compression.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools

from flyball.serve.relay.upstream import read_address
from flyball.units import Bytes

PAGE_BYTES_MAX: Bytes = 4 << 20
_STALE = "the connection was closed before an answer"


class PageError(Exception):
    """The page could not be had; the message says why."""


class PageReader(asyncio.Protocol):
    """Reads `url`. `headers` are sent each time; `tls` = how to trust an https engine.

    Raises ValueError if `url` is not an http(s) URL.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = read_address(url)
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"GET {target} HTTP/1.1", f"Host: {self._address.authority.decode()}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._request = "\r\n".join([*lines, "Accept: */*", "", ""]).encode("latin-1")
        self._tls = (tls or ssl.create_default_context()) if self._address.is_tls else None
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._chunks: list[bytes] = []
        self._size: Bytes = 0
        self._is_framed = False
        self._is_begun = False

    async def get(self) -> bytes:
        """The page, on the kept connection if there is one. Raises PageError, OSError.

        A kept connection that turns out closed is replaced once. Cancel it to give up.
        """
        is_reused = self._transport is not None
        try:
            return await self._exchange()
        except PageError as fault:
            if not is_reused or str(fault) != _STALE:
                raise
        return await self._exchange()

    def close(self) -> None:
        """Let go of the connection; a page still awaited is given up, not asked for again."""
        self._fail("the reading was given up")
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    async def _exchange(self) -> bytes:
        loop = asyncio.get_running_loop()
        address = self._address
        try:
            if self._transport is None:
                await loop.create_connection(
                    lambda: self, address.host, address.port, ssl=self._tls
                )
            assert self._transport is not None
            self._answer = loop.create_future()
            self._parser = httptools.HttpResponseParser(self)
            self._chunks, self._size = [], 0
            self._is_framed = self._is_begun = False
            self._transport.write(self._request)
            return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            self._answer = None

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if parser is None or self._answer is None:
            self.close()
            return
        self._is_begun = True
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as fault:
            self._fail(f"the answer is not valid HTTP: {fault}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is None or self._answer.done():
            return
        if self._chunks and not self._is_framed:
            self._complete()
        elif self._is_begun:
            self._fail("the answer broke off")
        else:
            self._fail(_STALE)

    # The parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note whether the body's end is announced."""
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._is_framed = True

    def on_headers_complete(self) -> None:
        """Only a whole page will do."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status >= 200 and status != 200:
            self._fail(f"status {status}")

    def on_body(self, body: bytes) -> None:
        """Some of the page."""
        self._size += len(body)
        if self._size > PAGE_BYTES_MAX:
            self._fail(f"the page is larger than {PAGE_BYTES_MAX} bytes")
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """The page is whole."""
        assert self._parser is not None
        if self._parser.get_status_code() == 200:
            keeps = self._parser.should_keep_alive()
            self._complete()
            if not keeps:
                self.close()

    def _complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(b"".join(self._chunks))
        self._chunks = []

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(PageError(reason))
        self._chunks = []
