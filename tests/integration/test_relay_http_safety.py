"""Is an HTTP message that can be read in two ways refused, with 400 and the connection closed?"""

import asyncio

import pytest

from flyball.governor.events import RequestArrived
from support.relay import ANSWER, CHAT_BODY, HEALTH, bench, chunk, post

LINE = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"

HOSTILE: dict[str, tuple[bytes, int]] = {
    "both lengths": (
        LINE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        400,
    ),
    "both lengths, other order": (
        LINE + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
        400,
    ),
    "two lengths that differ": (
        LINE + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
        400,
    ),
    "two equal lengths": (LINE + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "a list of lengths": (LINE + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "signed length": (LINE + b"Content-Length: +2\r\n\r\n{}", 400),
    "negative length": (LINE + b"Content-Length: -2\r\n\r\n{}", 400),
    "hex length": (LINE + b"Content-Length: 0x2\r\n\r\n{}", 400),
    "empty length": (LINE + b"Content-Length: \r\n\r\n{}", 400),
    "length with an underscore": (LINE + b"Content-Length: 1_0\r\n\r\n{}", 400),
    "huge length": (LINE + b"Content-Length: 99999999999999999999\r\n\r\n{}", 400),
    "no length": (LINE + b"\r\n", 411),
    "other coding": (LINE + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "coding list": (LINE + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "identity": (LINE + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", 400),
    "chunked twice": (
        LINE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked, chunked": (LINE + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "xchunked": (LINE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "tab before chunked, vertical": (
        LINE + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "coding under a mangled name": (LINE + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "HTTP/1.0 with a coding": (
        b"POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunk size with a sign": (
        LINE + b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    "chunk size with 0x": (LINE + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 400),
    "chunk size with a space": (LINE + b"Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n", 400),
    "chunk size empty": (LINE + b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n", 400),
    "chunk size overflow": (
        LINE + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF2\r\n{}",
        400,
    ),
    "chunk line ends in LF": (LINE + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n", 400),
    "chunk data too long": (LINE + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n", 400),
    "LF in a chunk extension": (
        LINE + b"Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    "bad trailer": (
        LINE + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nno colon\r\n\r\n",
        400,
    ),
    "folded field": (LINE + b"X-A: one\r\n two\r\nContent-Length: 2\r\n\r\n{}", 400),
    "folded with a tab": (LINE + b"X-A: one\r\n\ttwo\r\nContent-Length: 2\r\n\r\n{}", 400),
    "folded first line": (
        b"POST /v1/chat/completions HTTP/1.1\r\n Host: gateway\r\nContent-Length: 2\r\n\r\n{}",
        400,
    ),
    "bare LF after a field": (LINE + b"X-A: one\nContent-Length: 2\r\n\r\n{}", 400),
    "bare LF after the request line": (b"GET /healthz HTTP/1.1\nHost: gateway\r\n\r\n", 400),
    "bare LF everywhere": (b"GET /healthz HTTP/1.1\nHost: gateway\n\n", 400),
    "bare CR in a value": (LINE + b"X-A: one\rtwo\r\nContent-Length: 2\r\n\r\n{}", 400),
    "NUL in a value": (LINE + b"X-A: o\0ne\r\nContent-Length: 2\r\n\r\n{}", 400),
    "NUL in a name": (LINE + b"X\0A: one\r\nContent-Length: 2\r\n\r\n{}", 400),
    "control character": (LINE + b"X-A: o\x01ne\r\nContent-Length: 2\r\n\r\n{}", 400),
    "space before the colon": (LINE + b"X-A : one\r\nContent-Length: 2\r\n\r\n{}", 400),
    "space in a name": (LINE + b"X A: one\r\nContent-Length: 2\r\n\r\n{}", 400),
    "empty name": (LINE + b": one\r\nContent-Length: 2\r\n\r\n{}", 400),
    "no colon": (LINE + b"X-A\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two hosts": (LINE + b"Host: other\r\nContent-Length: 2\r\n\r\n{}", 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "host with a path": (b"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "host with a user": (b"GET /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "two spaces": (b"GET  /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "tab in the request line": (b"GET\t/healthz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "space in the target": (b"GET /health z HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "no target": (b"GET HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "relative target": (b"GET healthz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "fragment": (b"GET /healthz#x HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "star with GET": (b"GET * HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "other scheme": (b"GET ftp://gateway/healthz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "user in the target": (b"GET http://u@gateway/healthz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "lower-case method": (b"get /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "unknown method": (b"BREW /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400),
    "CONNECT": (b"CONNECT gateway:80 HTTP/1.1\r\nHost: gateway\r\n\r\n", 405),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400),
    "HTTP/1.2": (b"GET /healthz HTTP/1.2\r\nHost: gateway\r\n\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS to a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, 400),
    "another protocol": (b"\0\0\0\x10abcdefghijkl", 400),
    "other expectation": (LINE + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}", 400),
    "head too large": (LINE + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    "head too large, unfinished": (LINE + b"X-A: " + b"a" * 40_000, 431),
    "body too large": (LINE + b"Content-Length: 10485761\r\n\r\n", 413),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_and_the_connection_closed(name: str) -> None:
    hostile, expected = HOSTILE[name]

    async def run() -> None:
        async with bench(ANSWER) as made:
            client = await made.client()
            await client.send(hostile)
            status, fields, body = await client.answer()
            assert status == expected, body
            assert fields["connection"] == "close"
            assert b'"code"' in body
            assert await client.rest() == b"", "something was answered after the refusal"
            assert not made.core.seen(RequestArrived)
            assert not made.engines[0].requests
            assert made.gateway.buffered_bytes == 0

    asyncio.run(run())


@pytest.mark.parametrize("cut", [1, 3, 17, 40])
def test_hostile_bytes_are_refused_however_they_are_cut(cut: int) -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            for hostile, expected in HOSTILE.values():
                if len(hostile) > 400:
                    continue
                client = await made.client()
                for at in range(0, len(hostile), cut):
                    client.writer.write(hostile[at : at + cut])
                    await asyncio.sleep(0)
                status, _, _ = await client.answer()
                assert status == expected, hostile
                client.close()

    asyncio.run(run())


ACCEPTED: dict[str, bytes] = {
    "plain": post(),
    "chunked": LINE + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(CHAT_BODY) + b"0\r\n\r\n",
    "chunked, capital": LINE
    + b"transfer-encoding: Chunked\r\n\r\n"
    + chunk(CHAT_BODY)
    + b"0\r\n\r\n",
    "chunk extension and trailer": LINE
    + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n0\r\nX-T: 1\r\n\r\n"
    % (len(CHAT_BODY), CHAT_BODY),
    "absolute form": post().replace(b"POST /", b"POST http://gateway/", 1),
    "leading CR LF": b"\r\n" + post(),
    "query": post(path=b"/v1/chat/completions?api-version=1"),
    "offer to upgrade": post(extra=b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "HTTP/1.0": post().replace(b"HTTP/1.1", b"HTTP/1.0", 1),
}


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("cut", [0, 1])
def test_what_is_well_formed_reaches_the_engine_whole(name: str, cut: int) -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            client = await made.client()
            request = ACCEPTED[name]
            for at in range(0, len(request), cut or len(request)):
                client.writer.write(request[at : at + (cut or len(request))])
                await asyncio.sleep(0)
            status, _, _ = await client.answer()
            assert status == 200
            head, _, body = made.engines[0].requests[0].partition(b"\r\n\r\n")
            assert body == CHAT_BODY
            lower = head.lower()
            assert b"transfer-encoding" not in lower and b"upgrade" not in lower
            assert lower.startswith(b"post /v1/chat/completions")
            assert made.gateway.buffered_bytes == 0

    asyncio.run(run())


def test_a_smuggled_request_is_never_answered() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            client = await made.client()
            await client.send(post(extra=b"Transfer-Encoding: chunked\r\n") + HEALTH)
            assert (await client.rest()).count(b"\r\ncontent-length: ") == 1

    asyncio.run(run())
