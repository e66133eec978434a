"""Are questions for a quote read, and answers and refusals written, as clients need them?"""

import json

import pytest

from flyball.dialects.quotes import quote_body, read_question, refusal_body
from flyball.model.faults import Refusal
from flyball.model.quote import Quote
from flyball.model.request import RequestHead

BODY = {
    "model": "m", "class": "chat", "input_tokens": 400, "output_tokens": 100, "deadline_ms": 2500,
}  # fmt: skip
QUOTE = Quote(
    id="quote_1", principal="ann", class_name="chat", model="m", operation="chat",
    input_tokens=400, output_tokens=100, deadline_s=2.5, made_at=10.0, expires_at=20.0,
    endpoint="big-0", price_usd=0.002, penalty_usd=0.01, risk=0.01,
)  # fmt: skip


def read(change: dict | None = None, headers: list[tuple[bytes, bytes]] | None = None):
    return read_question(headers or [], json.dumps(BODY | (change or {})).encode())


def test_a_question_is_the_head_of_the_request_to_come() -> None:
    fields = [
        (b"authorization", b"Bearer secret"),
        (b"x-flyball-jurisdiction", b"EU"),
        (b"x-flyball-client-rtt-ms", b"20"),
    ]
    question = read(headers=fields)
    assert isinstance(question, tuple)
    head, tokens = question
    assert tokens == 400
    assert head == RequestHead(
        operation="chat", model="m", key_sha256=head.key_sha256, class_hint="chat",
        output_tokens_max=100, jurisdiction_hint="EU", deadline_s=2.5, client_rtt_s=0.02,
    )  # fmt: skip
    assert len(head.key_sha256) == 64


def test_header_fields_count_where_the_body_does_not_say() -> None:
    fields = [(b"x-flyball-class", b"batch"), (b"x-flyball-deadline-ms", b"900")]
    question = read({"class": "", "deadline_ms": 0}, fields)
    assert isinstance(question, tuple)
    assert (question[0].class_hint, question[0].deadline_s) == ("batch", 0.9)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": ""}, "model"),
        ({"input_tokens": 0}, "input_tokens"),
        ({"output_tokens": 0}, "output_tokens"),
        ({"output_tokens": -1}, "output_tokens"),
        ({"operation": "infer"}, "output_tokens"),
        ({"operation": "dance"}, "operation"),
        ({"deadline_ms": "soon"}, "deadline_ms"),
        ({"prompt": "hello"}, ""),
    ],
)
def test_what_is_missing_or_wrong_is_named(change: dict, param: str) -> None:
    refusal = read(change)
    assert isinstance(refusal, Refusal)
    assert refusal.param == param and refusal.fault.party == "caller"


def test_a_body_that_is_no_json_is_refused() -> None:
    refusal = read_question([], b"{")
    assert isinstance(refusal, Refusal) and refusal.code == "bad_json"


def test_a_quote_tells_its_terms() -> None:
    status, headers, body = quote_body(QUOTE)
    told = json.loads(body)
    assert status == 200 and (b"x-flyball-quote", b"quote_1") in headers
    assert (told["deadline_ms"], told["expires_in_ms"], told["class"]) == (2500.0, 10_000.0, "chat")
    assert "endpoint" not in told and "principal" not in told


def test_a_refusal_tells_what_would_help() -> None:
    no = Refusal(code="deadline_unreachable", detail="2 s asked", retry_after_s=0.5)
    status, headers, body = refusal_body(no, 3.25)
    error = json.loads(body)["error"]
    assert status == 429 and (b"retry-after-ms", b"500") in headers
    assert error["code"] == "deadline_unreachable"
    assert error["flyball"]["would_help"] == {"deadline_ms": 3250.0}
    assert json.loads(refusal_body(no, 0.0)[2])["error"]["flyball"]["would_help"] is None
