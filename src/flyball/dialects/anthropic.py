"""In which words does Anthropic's Messages API refuse, and fail in a stream?

docs.anthropic.com/en/api/errors: {"type": "error", "error": {"type", "message"}, "request_id"}; the
same object in an `error` event once a stream has begun.
"""

from typing import Any

import msgspec

from flyball.dialects.openai import flyball_fields
from flyball.model.faults import Refusal

_TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_body(refusal: Refusal, request_id: str) -> bytes:
    """The whole body of a refusal."""
    return msgspec.json.encode(_error(refusal, request_id))


def error_event(refusal: Refusal, request_id: str) -> bytes:
    """The SSE `error` event that ends a stream."""
    return b"event: error\ndata: " + error_body(refusal, request_id) + b"\n\n"


def _error(refusal: Refusal, request_id: str) -> dict[str, Any]:
    status = refusal.fault.status
    fallback = "api_error" if status >= 500 else "invalid_request_error"
    return {
        "type": "error",
        "error": {
            "type": _TYPE_OF_STATUS.get(status, fallback),
            "message": refusal.message,
            "code": refusal.code,
            "param": refusal.param or None,
            "flyball": flyball_fields(refusal, request_id),
        },
        "request_id": request_id,
    }
