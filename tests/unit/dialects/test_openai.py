"""Are refusals in OpenAI's shape, as its own client understands them?"""

import json

from openai.types.responses import ResponseErrorEvent

from flyball.dialects import openai
from flyball.model.faults import FAULTS, Refusal

REFUSAL = Refusal(
    code="price_above_value", detail="0.2 USD", retry_after_s=1.5, price_usd=0.2, param="model"
)


def test_the_error_object_has_openais_fields_and_ours() -> None:
    error = json.loads(openai.error_body(REFUSAL, "r-1"))["error"]
    assert error.pop("flyball") == {
        "party": "fleet",
        "next_step": REFUSAL.fault.next_step,
        "retry_after_s": 1.5,
        "price_usd": 0.2,
        "request_id": "r-1",
    }
    assert error == {
        "message": REFUSAL.message,
        "type": "rate_limit_error",
        "param": "model",
        "code": "price_above_value",
    }


def test_every_fault_can_be_said() -> None:
    for code in FAULTS:
        error = json.loads(openai.error_body(Refusal(code=code, detail="d"), "r"))["error"]
        assert error["code"] == code
        assert error["param"] is None
        assert "{" not in error["message"]


def test_a_responses_stream_ends_with_its_error_event() -> None:
    event = openai.response_error_event(REFUSAL, "r-1")
    name, data, _, _ = event.split(b"\n")
    assert name == b"event: error"
    parsed = ResponseErrorEvent.model_validate(json.loads(data.removeprefix(b"data: ")))
    assert parsed.code == "price_above_value"
    assert parsed.message == REFUSAL.message
