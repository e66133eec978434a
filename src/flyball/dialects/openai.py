"""In which words does OpenAI's API list models, refuse, fail in a stream, and count tokens?

Error body: platform.openai.com/docs/guides/error-codes; a stream's error is an SSE message whose
JSON has `error` (the official client raises on it), in the Responses API an `error` event.
"""

from typing import Any

import msgspec

from flyball.model.faults import Refusal


def error_fields(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """OpenAI's `error` object, with ours beside its own fields under `flyball`."""
    fault = refusal.fault
    return {
        "message": refusal.message,
        "type": fault.openai_type,
        "param": refusal.param or None,
        "code": refusal.code,
        "flyball": flyball_fields(refusal, request_id),
    }


def flyball_fields(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """Who is at fault, what to do next, when, and at which price (USD)."""
    return {
        "party": refusal.fault.party,
        "next_step": refusal.fault.next_step,
        "retry_after_s": refusal.retry_after_s,
        "price_usd": refusal.price_usd,
        "request_id": request_id,
    }


def error_body(refusal: Refusal, request_id: str) -> bytes:
    """The whole body of a refusal."""
    return msgspec.json.encode({"error": error_fields(refusal, request_id)})


def error_event(refusal: Refusal, request_id: str) -> bytes:
    """The SSE message that ends a stream of chat or text completions."""
    return b"data: " + error_body(refusal, request_id) + b"\n\n"


def response_error_event(refusal: Refusal, request_id: str) -> bytes:
    """The SSE `error` event that ends a stream of the Responses API.

    It carries the fields of OpenAI's `ResponseErrorEvent`, and `error`, on which its client raises.
    """
    fields = error_fields(refusal, request_id)
    event = {
        "type": "error",
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.param or None,
        "sequence_number": 0,
        "error": fields,
    }
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"
