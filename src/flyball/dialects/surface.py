"""What does a client's request ask for, and how is it answered in the client's own words?

The one module that a gateway calls; each surface's own words stand in `openai`, `anthropic`, `oip`.
No body is ever changed but for the value of `model` and, where the class allows it, the answer's
bound and the oldest turns: unknown fields reach the engine as they came.
"""

from datetime import UTC, datetime
from math import ceil

import msgspec
from msgspec.structs import replace
from xxhash import xxh3_64_intdigest

from flyball.dialects import anthropic, oip, openai
from flyball.dialects.envelope import RefusedError, read_envelope, read_output_bound, read_prompt
from flyball.dialects.headers import (
    NO_HINTS,
    HeaderHints,
    pick_wanted,
    read_client_timeout_s,
    read_hints,
    read_key_sha256,
    read_retry_count,
    retry_after,
)
from flyball.dialects.oip import rewrite_target
from flyball.dialects.prompt import BLOCK_BYTES, chain_hashes, last_digest
from flyball.dialects.rewrite import rewrite_model
from flyball.dialects.routes import route
from flyball.dialects.sessions import read_body_session
from flyball.dialects.trim import bound_output, trim_turns
from flyball.dialects.usage import TAIL_BYTES, Usage, read_response_id, read_usage
from flyball.model.faults import Refusal
from flyball.model.request import Operation, RequestHead

__all__ = [
    "TAIL_BYTES",
    "Usage",
    "answer",
    "bound_output",
    "error_body",
    "error_event",
    "models_body",
    "read_head",
    "read_response_id",
    "read_usage",
    "retry_after",
    "rewrite_model",
    "rewrite_target",
    "route",
    "trim_turns",
]

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_COUNT_TOKENS = b"/v1/messages/count_tokens"


def read_head(method: bytes, target: bytes, headers: Headers, body: bytes) -> RequestHead | Refusal:
    """All that a decision may depend on, read off one request; names in `headers` lower-cased.

    `deadline_s` is the least of the client's wish (`x-flyball-deadline-ms`, `x-request-timeout-ms`)
    and, for an answer in one piece, of its library's own timeout: it bounds usefulness, so a class
    may ask for less, never for more. Never raises: what is wrong comes back as a Refusal.
    """
    operation = route(method, target)
    if isinstance(operation, Refusal):
        return operation
    found = pick_wanted(headers)
    try:
        hints = read_hints(found)
        if operation == "infer":
            head = _read_infer(method, target, headers, body, found)
        elif operation == "models":
            head = RequestHead(operation=operation, model="", key_sha256=read_key_sha256(found))
        else:
            head = _read_text(operation, target, body, found)
    except RefusedError as refused:
        return refused.refusal
    return head if hints is NO_HINTS else _with_hints(head, hints)


def _read_text(
    operation: Operation, target: bytes, body: bytes, found: dict[bytes, bytes]
) -> RequestHead:
    """The head of a request of OpenAI's or Anthropic's API, header hints apart."""
    envelope = read_envelope(body)
    prompt = read_prompt(operation, envelope)
    bound = read_output_bound(envelope)
    prefix: tuple[int, ...]
    if operation == "embedding":
        prefix, digest = (), xxh3_64_intdigest(prompt)
    else:
        prefix, digest = chain_hashes(prompt)
    session, source = read_body_session(envelope)
    stream = envelope.stream is True
    # Fifteen keywords at most: CPython passes more of them through a dict, which costs 0.5 us.
    return RequestHead(
        operation=operation,
        model=envelope.model or "",
        stream=stream,
        key_sha256=read_key_sha256(found),
        session_hint=session,
        session_source=source,
        retry_count=read_retry_count(found),
        prompt_bytes=len(prompt),
        output_tokens_max=1 if target.startswith(_COUNT_TOKENS) else bound,
        prefix=prefix,
        prefix_block_bytes=BLOCK_BYTES,
        body_digest=digest,
        deadline_s=0.0 if stream else read_client_timeout_s(found),
        priority=envelope.priority or 0,
        last_digest=last_digest(prompt) if prefix else 0,
    )


def _with_hints(head: RequestHead, hints: HeaderHints) -> RequestHead:
    """The head with what header fields said: their session first, the least deadline."""
    named = bool(hints.session_hint)
    wish_s, timeout_s = hints.deadline_s, head.deadline_s
    return replace(
        head,
        class_hint=hints.class_hint,
        session_hint=hints.session_hint if named else head.session_hint,
        session_source=hints.session_source if named else head.session_source,
        jurisdiction_hint=hints.jurisdiction_hint,
        deadline_s=min(wish_s, timeout_s) if wish_s and timeout_s else wish_s or timeout_s,
        ttft_s_max=hints.ttft_s_max,
        tpot_s_max=hints.tpot_s_max,
        quote=hints.quote,
        client_rtt_s=hints.client_rtt_s,
        sent_at=hints.sent_at,
        session_budget=hints.session_budget,
    )


def _read_infer(
    method: bytes, target: bytes, headers: Headers, body: bytes, found: dict[bytes, bytes]
) -> RequestHead:
    """The head of an Open Inference Protocol call: the model from the path, tensors unread.

    A GET (a model's metadata) has no tensors.
    """
    size, digest = (0, 0) if method == b"GET" else oip.read_tensors(headers, body)
    return RequestHead(
        operation="infer",
        model=oip.read_model(target),
        key_sha256=read_key_sha256(found),
        retry_count=read_retry_count(found),
        prompt_bytes=size,
        body_digest=digest,
        deadline_s=read_client_timeout_s(found),
    )


def error_body(
    refusal: Refusal, operation: Operation | None, request_id: str
) -> tuple[int, Headers, bytes]:
    """(status, header fields, body) of a refusal in the words of the surface it answers.

    `operation` None = the path is unknown: OpenAI's words. `x-should-retry`, `retry-after-ms` and
    `Retry-After` are what the official clients obey. Content-Length is the caller's to add.
    """
    if operation == "message":
        body = anthropic.error_body(refusal, request_id)
    elif operation == "infer":
        body = oip.error_body(refusal.message)
    else:
        body = openai.error_body(refusal, request_id)
    fault = refusal.fault
    retry = fault.should_retry if refusal.should_retry is None else refusal.should_retry
    id_name = b"request-id" if operation == "message" else b"x-request-id"
    headers = [
        _JSON,
        (id_name, request_id.encode("ascii", "replace")),
        (b"x-should-retry", b"true" if retry else b"false"),
    ]
    if refusal.retry_after_s > 0:
        headers.append((b"retry-after", b"%d" % ceil(refusal.retry_after_s)))
        headers.append((b"retry-after-ms", b"%d" % ceil(refusal.retry_after_s * 1e3)))
    if refusal.allow:
        headers.append((b"allow", refusal.allow.encode("ascii", "replace")))
    return fault.status, headers, body


def error_event(refusal: Refusal, operation: Operation, request_id: str) -> bytes:
    """The bytes that end a stream already begun with this refusal, as an SSE message.

    They start with a blank line, so that a message cut off by the fault cannot swallow ours.
    """
    if operation == "message":
        event = anthropic.error_event(refusal, request_id)
    elif operation == "infer":
        event = b"data: " + oip.error_body(refusal.message) + b"\n\n"
    elif operation == "response":
        event = openai.response_error_event(refusal, request_id)
    else:
        event = openai.error_event(refusal, request_id)
    return b"\n\n" + event


def models_body(models: dict[str, int], owner: str = "flyball") -> bytes:
    """The list of models (name -> seconds since 1970 when it came into service).

    One body for OpenAI's and Anthropic's clients: each finds its own fields and skips the other's.
    """
    names = list(models)
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [_model_fields(name, models[name], owner) for name in names],
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    )


def answer(target: bytes, models: dict[str, int], ready: bool) -> tuple[int, Headers, bytes]:
    """(status, header fields, body) of what the gateway answers itself: operation "models".

    `models` as in `models_body`; `ready` = the gateway is up, not draining, and has an endpoint.
    """
    path = target.partition(b"?")[0].rstrip(b"/")
    if path.startswith(b"/v2"):
        status, body = oip.answer(path, models, ready)
        return status, [_JSON], body
    name = oip.read_last_segment(path)
    if path == b"/v1/models":
        return 200, [_JSON], models_body(models)
    if name not in models:
        refusal = Refusal(code="model_not_found", detail=name)
        return 404, [_JSON], openai.error_body(refusal, "")
    return 200, [_JSON], msgspec.json.encode(_model_fields(name, models[name], "flyball"))


def _model_fields(name: str, created: int, owner: str) -> dict[str, object]:
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": owner,
        "type": "model",
        "display_name": name,
        "created_at": _rfc3339(created),
    }


def _rfc3339(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
