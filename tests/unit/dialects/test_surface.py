"""Is a request's head read whole, and answered, refused and failed in its surface's own words?"""

import hashlib
import json

import pytest
from openai.types import Model

from flyball.dialects import surface
from flyball.dialects.prompt import BLOCK_BYTES
from flyball.model.faults import FAULTS, Refusal
from flyball.model.request import Operation, RequestHead

CHAT = b"/v1/chat/completions"
MESSAGES = [{"role": "system", "content": "x" * 3000}, {"role": "user", "content": "hi"}]
Headers = list[tuple[bytes, bytes]]


def head(target: bytes, fields: dict[str, object], headers: Headers | None = None) -> RequestHead:
    read = surface.read_head(b"POST", target, headers or [], json.dumps(fields).encode())
    assert isinstance(read, RequestHead), read
    return read


def test_a_chat_request() -> None:
    read = head(
        CHAT,
        {
            "model": "llama",
            "messages": MESSAGES,
            "stream": True,
            "max_tokens": 99,
            "priority": -3,
            "prompt_cache_key": "s1",
            "vendor_field": {"kept": True},
        },
        [
            (b"authorization", b"Bearer k"),
            (b"x-stainless-retry-count", b"1"),
            (b"x-stainless-read-timeout", b"600"),
        ],
    )
    assert (read.operation, read.model, read.stream) == ("chat", "llama", True)
    assert read.key_sha256 == hashlib.sha256(b"k").hexdigest()
    assert (read.session_hint, read.session_source) == ("s1", "prompt_cache_key")
    assert (read.retry_count, read.output_tokens_max, read.priority) == (1, 99, -3)
    assert read.prompt_bytes == len(json.dumps(MESSAGES))
    assert len(read.prefix) == read.prompt_bytes // BLOCK_BYTES == 2
    assert read.deadline_s == 0.0, "a stream outlives its client's read timeout"


def test_header_hints_come_before_the_body_and_bound_the_deadline() -> None:
    read = head(
        CHAT,
        {"model": "m", "messages": [], "prompt_cache_key": "body"},
        [
            (b"x-claude-code-session-id", b"header"),
            (b"x-flyball-deadline-ms", b"90000"),
            (b"x-stainless-timeout", b"60"),
            (b"x-flyball-class", b"batch"),
            (b"x-flyball-jurisdiction", b"EU"),
            (b"x-slo-ttft-ms", b"300"),
            (b"x-slo-tpot-ms", b"30"),
        ],
    )
    assert (read.session_hint, read.session_source) == ("header", "x-claude-code-session-id")
    assert (read.deadline_s, read.ttft_s_max, read.tpot_s_max) == (60.0, 0.3, 0.03)
    assert (read.class_hint, read.jurisdiction_hint) == ("batch", "EU")


def test_a_hint_without_a_session_leaves_the_bodys() -> None:
    fields = {"model": "m", "messages": [], "previous_response_id": "r"}
    read = head(CHAT, fields, [(b"x-flyball-class", b"a")])
    assert (read.session_hint, read.class_hint) == ("r", "a")


def test_one_more_turn_keeps_the_prefix() -> None:
    first = head(CHAT, {"model": "m", "messages": MESSAGES})
    more = [*MESSAGES, {"role": "user", "content": "y" * 2000}]
    second = head(CHAT, {"temperature": 0, "messages": more, "model": "m"})
    assert second.prefix[: len(first.prefix)] == first.prefix
    assert len(second.prefix) > len(first.prefix)
    assert second.body_digest != first.body_digest


def test_other_tools_are_another_prefix() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    plain = head(CHAT, {"model": "m", "messages": MESSAGES})
    tooled = head(CHAT, {"model": "m", "messages": MESSAGES, "tools": tools})
    assert plain.prefix[0] != tooled.prefix[0]
    assert tooled.prompt_bytes == plain.prompt_bytes + len(json.dumps(tools))


@pytest.mark.parametrize(
    ("target", "fields", "operation"),
    [
        (b"/v1/completions", {"prompt": "p"}, "completion"),
        (b"/v1/embeddings", {"input": ["a", "b"]}, "embedding"),
        (b"/v1/responses", {"input": "q", "max_output_tokens": 5}, "response"),
        (b"/v1/messages?beta=true", {"messages": [], "max_tokens": 5}, "message"),
    ],
)
def test_the_other_text_operations(
    target: bytes, fields: dict[str, object], operation: Operation
) -> None:
    assert head(target, {"model": "m", **fields}).operation == operation


def test_counting_tokens_writes_next_to_nothing() -> None:
    assert head(b"/v1/messages/count_tokens", {"model": "m", "messages": []}).output_tokens_max == 1


def test_embeddings_have_no_prefix_to_reuse() -> None:
    read = head(b"/v1/embeddings", {"model": "m", "input": "x" * 5000})
    assert read.prefix == ()
    assert read.body_digest


def test_an_inference_call() -> None:
    read = head(
        b"/v2/models/iris/infer",
        {"inputs": []},
        [(b"x-api-key", b"k"), (b"x-flyball-deadline-ms", b"10")],
    )
    assert (read.operation, read.model, read.deadline_s) == ("infer", "iris", 0.01)
    assert read.prompt_bytes == len(b'{"inputs": []}')


def test_metadata_of_a_model_has_no_body() -> None:
    read = surface.read_head(b"GET", b"/v2/models/iris", [], b"")
    assert read == RequestHead(operation="infer", model="iris")


def test_a_list_of_models_needs_only_the_key() -> None:
    read = surface.read_head(b"GET", b"/v1/models", [(b"authorization", b"Bearer k")], b"")
    assert isinstance(read, RequestHead)
    assert (read.operation, read.model) == ("models", "")
    assert read.key_sha256 == hashlib.sha256(b"k").hexdigest()


@pytest.mark.parametrize(
    ("target", "headers", "body", "code"),
    [
        (b"/nowhere", [], b"{}", "not_found"),
        (CHAT, [], b"{", "bad_json"),
        (CHAT, [], b"{}", "bad_field"),
        (CHAT, [(b"x-flyball-deadline-ms", b"x")], b"{}", "bad_field"),
        (b"/v2/models/m/infer", [], b"{}", "bad_field"),
        (b"/v2/models/%ff/infer", [], b'{"inputs": []}', "bad_field"),
    ],
)
def test_refusals(target: bytes, headers: Headers, body: bytes, code: str) -> None:
    refusal = surface.read_head(b"POST", target, headers, body)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


@pytest.mark.parametrize("operation", ["chat", "message", "infer", "response", "models", None])
@pytest.mark.parametrize("code", FAULTS)
def test_every_refusal_in_every_surface(code: str, operation: Operation | None) -> None:
    refusal = Refusal(code=code, detail="d", retry_after_s=0.3)
    status, headers, body = surface.error_body(refusal, operation, "req-1")
    fields = dict(headers)
    assert status == FAULTS[code].status
    assert refusal.message in json.dumps(json.loads(body), ensure_ascii=False)
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"x-should-retry"] == (b"true" if FAULTS[code].should_retry else b"false")
    assert (fields[b"retry-after"], fields[b"retry-after-ms"]) == (b"1", b"300")
    assert b"req-1" in fields.values()


def test_what_the_core_decides_about_a_retry_goes_before_the_table() -> None:
    refusal = Refusal(code="queue_full", should_retry=False)
    fields = dict(surface.error_body(refusal, "chat", "r")[1])
    assert fields[b"x-should-retry"] == b"false"
    assert b"retry-after" not in fields


def test_a_wrong_method_is_told_the_right_one() -> None:
    refusal = surface.route(b"GET", CHAT)
    assert isinstance(refusal, Refusal)
    status, headers, _ = surface.error_body(refusal, None, "r")
    assert (status, dict(headers)[b"allow"]) == (405, b"POST")


@pytest.mark.parametrize("operation", ["chat", "completion", "response", "message", "infer"])
def test_a_stream_ends_with_one_message_of_its_own(operation: Operation) -> None:
    event = surface.error_event(Refusal(code="upstream_failed", detail="closed"), operation, "r")
    assert event.startswith(b"\n\n")
    assert event.endswith(b"\n\n")
    data = [line for line in event.split(b"\n") if line.startswith(b"data: ")]
    assert len(data) == 1
    assert "error" in json.loads(data[0].removeprefix(b"data: "))


def test_one_list_of_models_for_both_clients() -> None:
    body = json.loads(surface.models_body({"a": 1_700_000_000, "b": 0}))
    assert [Model.model_validate(entry).id for entry in body["data"]] == ["a", "b"]
    assert body["data"][0]["created_at"] == "2023-11-14T22:13:20Z"
    assert (body["object"], body["first_id"], body["last_id"], body["has_more"]) == (
        "list",
        "a",
        "b",
        False,
    )
    assert json.loads(surface.models_body({}))["first_id"] is None


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/v1/models", 200),
        (b"/v1/models/?limit=5", 200),
        (b"/v1/models/m%2Fx", 200),
        (b"/v1/models/other", 404),
        (b"/v2/health/ready", 200),
        (b"/v2/models/m%2Fx/ready", 200),
    ],
)
def test_the_gateways_own_answers(target: bytes, status: int) -> None:
    answered, headers, body = surface.answer(target, {"m/x": 5}, True)
    assert answered == status
    assert (b"content-type", b"application/json") in headers
    assert json.loads(body)
