"""Do the heads sent on either side say what they should, and keep what is not theirs to tell?"""

import pytest

from flyball.governor.commands import Forward
from flyball.model.decision import Allowance
from flyball.serve.relay.heads import CHUNKED, UNTIL_END, read_request, read_response
from flyball.serve.relay.upstream import read_address
from flyball.serve.relay.wire import (
    Access,
    flyball_lines,
    place_lines,
    request_head,
    response_head,
    whole_answer,
)

ASKED = read_request(
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\n"
    b"Authorization: Bearer client-key\r\nX-Only-Here: 1\r\nConnection: x-only-here\r\n"
    b"X-Trace: t"
)
ADDRESS = read_address("http://engine:8000/base/v1")


def sent(access: Access, operation: str = "chat") -> bytes:
    return request_head(
        ASKED, ADDRESS, access, operation, "req_1", ASKED.target, 9  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_request_as_it_reaches_an_engine() -> None:
    assert sent(Access()) == (
        b"POST /base/v1/chat/completions HTTP/1.1\r\nHost: engine:8000\r\nX-Trace: t\r\n"
        b"x-request-id: req_1\r\ncontent-length: 9\r\n\r\n"
    )


def test_an_engine_is_told_how_long_it_has() -> None:
    told = request_head(
        ASKED, ADDRESS, Access(), "infer", "req_1", ASKED.target, 9, 7.25
    )  # fmt: skip
    assert b"\r\nx-flyball-deadline-ms: 7.250\r\n" in told
    assert b"deadline" not in sent(Access())


def test_whose_key_an_engine_sees() -> None:
    assert b"client-key" not in sent(Access(key="own"))
    assert b"authorization: Bearer own\r\n" in sent(Access(key="own"))
    assert b"x-api-key: own\r\n" in sent(Access(key="own"), "message")
    assert b"Authorization: Bearer client-key\r\n" in sent(Access(forwards_client_key=True))
    assert "own" not in repr(Access(key="own"))


def test_own_lines_tell_the_decision() -> None:
    allowance = Allowance(
        tokens_offered=10, tokens_kept=8, output_tokens_max=64, attempts_max=2, deadline_at=107.5
    )
    forward = Forward("req_1", 1, 0, (), allowance, 0.0015, 4, "price", "chat")
    lines = flyball_lines("req_1", forward, place_lines("p", "e0"), 100.0)
    assert lines.endswith(b"\r\n")
    assert dict(line.split(": ") for line in lines.decode().strip().split("\r\n")) == {
        "x-flyball-pool": "p",
        "x-flyball-endpoint": "e0",
        "x-flyball-request-id": "req_1",
        "x-flyball-price-usd": "0.001500000",
        "x-flyball-price-version": "4",
        "x-flyball-allowance": "tokens=8;output=64;attempts=2;deadline-ms=7500",
        "x-flyball-rule": "price",
    }


def test_names_beyond_latin_1_break_no_head() -> None:
    assert place_lines("b\N{LATIN SMALL LETTER U WITH DIAERESIS}ro-\N{SNOWMAN}", "e") == (
        b"x-flyball-pool: b\xfcro-?\r\nx-flyball-endpoint: e\r\n"
    )


@pytest.mark.parametrize(
    ("length", "keep", "framing"),
    [
        (3, True, b"content-length: 3\r\n"),
        (3, False, b"content-length: 3\r\nconnection: close\r\n"),
        (CHUNKED, True, b"transfer-encoding: chunked\r\n"),
        (UNTIL_END, False, b"connection: close\r\n"),
    ],
)
def test_an_answers_framing(length: int, keep: bool, framing: bytes) -> None:
    response = read_response(b"HTTP/1.1 200 OK\r\nServer: e", b"POST")
    told = response_head(response, "req_1", b"x-flyball-rule: price\r\n", length, keep)
    start = b"HTTP/1.1 200 OK\r\nServer: e\r\nx-request-id: req_1\r\n"
    assert told == start + framing + b"x-flyball-rule: price\r\n\r\n"


def test_an_answer_keeps_its_own_id_and_announced_length() -> None:
    response = read_response(
        b"HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nContent-Length: 07\r\n"
        b"X-Hop: 1\r\nConnection: x-hop",
        b"POST",
    )
    told = response_head(response, "req_1", b"", 7, True)
    assert told == (
        b"HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\ncontent-length: 07\r\n\r\n"
    )  # fmt: skip


def test_no_length_where_none_is_allowed() -> None:
    response = read_response(b"HTTP/1.1 204 No Content", b"POST")
    assert b"content-length" not in response_head(response, "r", b"", 0, True)


def test_an_answer_of_our_own() -> None:
    fields = [(b"content-type", b"text/plain")]
    assert whole_answer(404, fields, b"no", True) == (
        b"HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno"
    )
    assert whole_answer(299, [], b"no", False, b"x-a: 1\r\n", without_body=True) == (
        b"HTTP/1.1 299 Unknown\r\ncontent-length: 2\r\nconnection: close\r\nx-a: 1\r\n\r\n"
    )
