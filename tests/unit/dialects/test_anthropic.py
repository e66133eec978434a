"""Are refusals in Anthropic's shape, with a type of its list?"""

import json

import pytest

from flyball.dialects import anthropic
from flyball.model.faults import FAULTS, Refusal

TYPES = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "api_error",
    "timeout_error",
    "overloaded_error",
}


@pytest.mark.parametrize("code", FAULTS)
def test_every_fault_has_a_type_of_anthropics(code: str) -> None:
    body = json.loads(anthropic.error_body(Refusal(code=code), "r-1"))
    assert body["type"] == "error"
    assert body["request_id"] == "r-1"
    assert body["error"]["type"] in TYPES
    assert body["error"]["code"] == code


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("queue_full", "rate_limit_error"),
        ("no_endpoint", "overloaded_error"),
        ("missing_api_key", "authentication_error"),
        ("own_fault", "api_error"),
        ("head_too_large", "invalid_request_error"),
    ],
)
def test_types(code: str, kind: str) -> None:
    assert json.loads(anthropic.error_body(Refusal(code=code), ""))["error"]["type"] == kind


def test_the_event_is_the_body_as_an_error_event() -> None:
    refusal = Refusal(code="upstream_failed", detail="closed early")
    event = anthropic.error_event(refusal, "r")
    assert event == b"event: error\ndata: " + anthropic.error_body(refusal, "r") + b"\n\n"
