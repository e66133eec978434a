"""Is a head read only when no other reader could take it differently, and its length understood?"""

import pytest

from flyball.serve.relay import heads
from flyball.serve.relay.heads import CHUNKED, UNTIL_END, BadHead, read_request, read_response


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1")


POST = ("POST /v1/x HTTP/1.1", "Host: h")


def test_what_goes_on_to_an_engine_and_what_stays() -> None:
    request = read_request(
        head(
            *POST, "Content-Length: 12", "X-Trace:  a b\t", "Authorization: Bearer k",
            "TE: trailers", "Connection: close, X-Only-Here", "X-Flyball-Class: chat",
            "X-Request-Id: r1", "Accept-Encoding: gzip", "Content-Type: application/json",
        )
    )  # fmt: skip
    assert (request.method, request.target, request.length) == (b"POST", b"/v1/x", 12)
    assert (b"x-trace", b"a b") in request.fields
    assert (b"x-flyball-class", b"chat") in request.fields
    assert request.keys == [b"Authorization: Bearer k"]
    assert request.passed == [
        b"X-Trace:  a b\t", b"X-Request-Id: r1", b"Content-Type: application/json"
    ]  # fmt: skip
    assert request.has_request_id
    assert not request.keep_alive
    assert request.connection_fields == [b"x-only-here"]


def test_the_same_lines_are_read_the_same_twice() -> None:
    same = head(*POST, "Content-Length: 3", "X-Seen: once")
    first, second = read_request(same), read_request(same)
    assert first is not second
    assert first.fields == second.fields
    assert first.passed is not second.passed
    for length in ("4", "5"):
        assert read_request(head(*POST, f"Content-Length: {length}")).length == int(length)


def test_lines_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "KNOWN_LINES_MAX", 10)
    for number in range(100):
        read_request(head(f"GET /{number} HTTP/1.1", "Host: h", f"X-A: {number}"))
        read_response(head(f"HTTP/1.1 200 {number}", f"X-A: {number}"), b"GET")
    known = (heads._request_starts, heads._request_lines, heads._status_lines)
    assert all(0 < len(one) <= 10 for one in (*known, heads._response_lines))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", b"/"),
        ("/a?b=c", b"/a?b=c"),
        ("http://h:80/a", b"/a"),
        ("HTTPS://h?x", b"/?x"),
    ],
)
def test_targets(target: str, path: bytes) -> None:
    assert read_request(head(f"GET {target} HTTP/1.1", "Host: h")).target == path


BAD_REQUESTS = {
    "lower-case method": ("get / HTTP/1.1", "Host: h"),
    "unknown method": ("FETCH / HTTP/1.1", "Host: h"),
    "two spaces": ("GET  / HTTP/1.1", "Host: h"),
    "HTTP/2": ("GET / HTTP/2.0", "Host: h"),
    "fragment": ("GET /#a HTTP/1.1", "Host: h"),
    "not a path": ("GET a HTTP/1.1", "Host: h"),
    "ftp": ("GET ftp://h/a HTTP/1.1", "Host: h"),
    "user in the authority": ("GET http://u@h/a HTTP/1.1", "Host: h"),
    "star for GET": ("GET * HTTP/1.1", "Host: h"),
    "no host": ("GET / HTTP/1.1",),
    "two hosts": ("GET / HTTP/1.1", "Host: h", "Host: h"),
    "bad host": ("GET / HTTP/1.1", "Host: a b"),
    "space before the colon": (*POST, "Content-Length : 1"),
    "folded": (*POST, "Content-Length: 1", " 2"),
    "no name": (*POST, "Content-Length: 1", ": x"),
    "NUL": (*POST, "Content-Length: 1", "X-A: a\0b"),
    "CR in a value": (*POST, "Content-Length: 1", "X-A: a\rb"),
    "two lengths": (*POST, "Content-Length: 1", "Content-Length: 1"),
    "length list": (*POST, "Content-Length: 1, 1"),
    "length with sign": (*POST, "Content-Length: +1"),
    "length in hex": (*POST, "Content-Length: 0x1"),
    "length too long": (*POST, "Content-Length: 1" + "0" * 15),
    "both framings": (*POST, "Content-Length: 1", "Transfer-Encoding: chunked"),
    "two codings": (*POST, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "unknown coding": (*POST, "Transfer-Encoding: gzip, chunked"),
    "chunked in 1.0": ("POST / HTTP/1.0", "Host: h", "Transfer-Encoding: chunked"),
    "expectation": (*POST, "Content-Length: 1", "Expect: 200-ok"),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_doubtful_requests_are_refused(name: str) -> None:
    with pytest.raises(BadHead) as refused:
        read_request(head(*BAD_REQUESTS[name]))
    assert refused.value.code == "bad_http"
    with pytest.raises(BadHead):  # and not remembered as good
        read_request(head(*BAD_REQUESTS[name]))


def test_refusals_with_codes_of_their_own() -> None:
    with pytest.raises(BadHead) as refused:
        read_request(head(*POST))
    assert refused.value.code == "length_required"
    with pytest.raises(BadHead) as refused:
        read_request(head("CONNECT h:1 HTTP/1.1", "Host: h"))
    assert refused.value.code == "method_not_allowed"


def test_http10_closes_and_needs_no_host() -> None:
    request = read_request(head("GET / HTTP/1.0"))
    assert request.http10
    assert not request.keep_alive
    assert not read_request(
        head("POST / HTTP/1.0", "Content-Length: 1", "Expect: 100-continue")
    ).expects_continue
    assert read_request(
        head(*POST, "Content-Length: 1", "Expect: 100-Continue")
    ).expects_continue  # fmt: skip


@pytest.mark.parametrize(
    ("method", "lines", "length", "keep"),
    [
        (b"GET", ("HTTP/1.1 200 OK", "Content-Length: 7"), 7, True),
        (b"GET", ("HTTP/1.1 200", "Transfer-Encoding: Chunked"), CHUNKED, True),
        (b"GET", ("HTTP/1.1 200 OK",), UNTIL_END, False),
        (b"GET", ("HTTP/1.0 200 OK", "Content-Length: 7"), 7, False),
        (b"GET", ("HTTP/1.1 200 OK", "Content-Length: 7", "Connection: Close"), 7, False),
        (b"HEAD", ("HTTP/1.1 200 OK", "Content-Length: 7"), 0, True),
        (b"GET", ("HTTP/1.1 204 No Content",), 0, True),
        (b"GET", ("HTTP/1.1 304 Not Modified", "Content-Length: 7"), 0, True),
    ],
)
def test_length_of_an_answer(method: bytes, lines: tuple[str, ...], length: int, keep: bool):
    response = read_response(head(*lines), method)
    assert (response.length, response.keep_alive) == (length, keep)


@pytest.mark.parametrize(
    "lines",
    [
        ("HTTP/1.1 2x0 OK",),
        ("HTTP/1.1 600 OK",),
        ("ICY 200 OK",),
        ("HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 1"),
        ("HTTP/1.1 200 OK", "Content-Length: 1", "Transfer-Encoding: chunked"),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: gzip"),
        ("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"),
        ("HTTP/1.1 200 OK", "no colon"),
    ],
)
def test_doubtful_answers_are_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(BadHead):
        read_response(head(*lines), b"GET")


def test_an_answers_head_is_told_as_http_1_1() -> None:
    response = read_response(
        head("HTTP/1.0 200 Fine", "Content-Type: text/event-stream; charset=utf-8",
             "Server: e", "Keep-Alive: timeout=5", "X-Flyball-Pool: forged"),
        b"POST",
    )  # fmt: skip
    assert response.status_line == b"HTTP/1.1 200 Fine"
    assert response.is_event_stream
    assert response.passed == [
        b"Content-Type: text/event-stream; charset=utf-8", b"Server: e"
    ]  # fmt: skip


def test_a_bare_lf_is_seen_before_the_head_is_whole() -> None:
    assert heads.has_bare_lf(b"GET / HTTP/1.1\nHost: h")
    assert not heads.has_bare_lf(b"GET / HTTP/1.1\r\nHost: h\r\n")


def test_fields_named_by_connection_are_left_out() -> None:
    lines = [b"X-A: 1", b"x-b: 2", b"X-C: 3"]
    assert heads.without(lines, [b"x-a", b"x-c"]) == [b"x-b: 2"]
