"""In which words is a guarantee asked for, given and refused? (`POST /v1/flyball/quote`)

The body is a JSON object of what the request will be like, never the request itself. Header fields
mean what they mean on a request: key, jurisdiction, the client's distance.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from flyball.dialects import openai
from flyball.dialects.envelope import RefusedError, bad_field, missing_field, refuse_body
from flyball.dialects.headers import pick_wanted, read_hints, read_key_sha256
from flyball.model.faults import Refusal
from flyball.model.quote import Quote
from flyball.model.request import RequestHead
from flyball.units import Seconds, Tokens, ms_from_seconds, seconds_from_ms

PATH = b"/v1/flyball/quote"

Headers = list[tuple[bytes, bytes]]
_Kind = Literal["chat", "completion", "embedding", "response", "message", "infer"]
_Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_DAY_MS = 86_400_000.0
_JSON = (b"content-type", b"application/json")
_READS_ONLY = frozenset(("embedding", "infer"))


class _Question(Struct, forbid_unknown_fields=True):
    model: str = ""
    operation: _Kind = "chat"
    class_: str = msgspec.field(default="", name="class")
    input_tokens: _Tokens = 0
    output_tokens: _Tokens = 0
    deadline_ms: Annotated[float, Meta(ge=0, le=_DAY_MS)] = 0.0


_DECODE = msgspec.json.Decoder(_Question).decode


def read_question(headers: Headers, body: bytes) -> tuple[RequestHead, Tokens] | Refusal:
    """What is to be guaranteed: the head of such a request and its prompt's tokens.

    `x-flyball-class` and `x-flyball-deadline-ms` count where the body does not say. Never raises.
    """
    try:
        return _read(headers, body)
    except RefusedError as refused:
        return refused.refusal


def _read(headers: Headers, body: bytes) -> tuple[RequestHead, Tokens]:
    try:
        asked = _DECODE(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refuse_body(error, body) from error
    if not asked.model:
        raise missing_field("model")
    if not asked.input_tokens:
        raise missing_field("input_tokens")
    if asked.operation not in _READS_ONLY and not asked.output_tokens:
        raise missing_field("output_tokens")
    if asked.operation in _READS_ONLY and asked.output_tokens:
        raise bad_field("output_tokens", f"An {asked.operation!r} call has none")
    found = pick_wanted(headers)
    hints = read_hints(found)
    head = RequestHead(
        operation=asked.operation,
        model=asked.model,
        key_sha256=read_key_sha256(found),
        class_hint=asked.class_ or hints.class_hint,
        output_tokens_max=asked.output_tokens,
        jurisdiction_hint=hints.jurisdiction_hint,
        deadline_s=seconds_from_ms(asked.deadline_ms) or hints.deadline_s,
    )
    away = replace(head, client_rtt_s=hints.client_rtt_s, sent_at=hints.sent_at)
    return away, asked.input_tokens


def quote_body(quote: Quote) -> tuple[int, Headers, bytes]:
    """(status, header fields, body) of a guarantee."""
    fields = {
        "object": "flyball.quote",
        "id": quote.id,
        "model": quote.model,
        "operation": quote.operation,
        "class": quote.class_name,
        "input_tokens": quote.input_tokens,
        "output_tokens": quote.output_tokens,
        "deadline_ms": ms_from_seconds(quote.deadline_s),
        "expires_at": quote.expires_at,
        "expires_in_ms": ms_from_seconds(quote.expires_at - quote.made_at),
        "price_usd": quote.price_usd,
        "penalty_usd": quote.penalty_usd,
        "risk": quote.risk,
    }
    return 200, [_JSON, (b"x-flyball-quote", quote.id.encode())], msgspec.json.encode(fields)


def refusal_body(refusal: Refusal, soonest_s: Seconds) -> tuple[int, Headers, bytes]:
    """(status, header fields, body) of a no: OpenAI's error object, and under `would_help` the
    shortest deadline that could be guaranteed now, or null."""
    error = openai.error_fields(refusal, "")
    error["flyball"]["would_help"] = (
        {"deadline_ms": ms_from_seconds(soonest_s)} if soonest_s > 0 else None
    )
    headers: Headers = [_JSON]
    if refusal.retry_after_s > 0:
        headers.append((b"retry-after-ms", b"%d" % ms_from_seconds(refusal.retry_after_s)))
    return refusal.fault.status, headers, msgspec.json.encode({"error": error})
