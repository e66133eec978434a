"""Are token counts read off the end of any engine's answer, and is garbage no count?"""

import json

import pytest

from flyball.dialects.usage import TAIL_BYTES, Usage, read_usage

CHAT = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (CHAT, Usage(40, 0, 7)),
        ({**CHAT, "prompt_tokens_details": None}, Usage(40, 0, 7)),
        ({**CHAT, "prompt_tokens_details": {"cached_tokens": 32}}, Usage(40, 32, 7)),
        ({**CHAT, "prompt_tokens_details": {"cached_tokens": None}}, Usage(40, 0, 7)),
        ({**CHAT, "prompt_cache_hit_tokens": 16}, Usage(40, 16, 7)),
        ({"prompt_tokens": 9, "total_tokens": 9}, Usage(9, 0, 0)),
        ({"prompt_tokens": -9, "completion_tokens": 10**30}, Usage(0, 0, 2**31 - 1)),
        (
            {
                "input_tokens": 50,
                "input_tokens_details": {"cached_tokens": 20},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 1},
            },
            Usage(50, 20, 5),
        ),
        (
            {
                "input_tokens": 3,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 10,
                "output_tokens": 6,
                "service_tier": "standard",
            },
            Usage(113, 100, 6),
        ),
    ],
)
def test_bodies_in_each_spelling(usage: dict[str, object], expected: Usage) -> None:
    body = json.dumps({"choices": [], "usage": usage, "system_fingerprint": "f"}, indent=1)
    assert read_usage(body.encode(), "chat", False) == expected


def test_a_stream_with_usage_at_its_end() -> None:
    tail = (
        sse({"choices": [1], "usage": None}, {"choices": [], "usage": CHAT}) + b"data: [DONE]\n\n"
    )
    assert read_usage(tail, "chat", True) == Usage(40, 0, 7)


def test_a_stream_without_usage_tells_nothing() -> None:
    assert read_usage(sse({"choices": []}) + b"data: [DONE]\n\n", "chat", True) == Usage()


def test_the_last_event_of_a_response_counts() -> None:
    done = {
        "type": "response.completed",
        "response": {"usage": {"input_tokens": 8, "output_tokens": 2}},
    }
    assert read_usage(b"event: response.completed\n" + sse(done), "response", True) == Usage(
        8, 0, 2
    )


def test_generated_text_cannot_pass_for_usage() -> None:
    lie = json.dumps({"content": json.dumps({"usage": {"prompt_tokens": 999}})}).encode()
    assert read_usage(lie, "chat", False) == Usage()
    assert read_usage(json.dumps({"usage": CHAT, "x": "usage"}).encode(), "chat", False) == Usage(
        40, 0, 7
    )


START = {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}
DELTA = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 15}}


def test_an_anthropic_stream_that_fits_the_tail() -> None:
    tail = sse(START, DELTA, {"type": "message_stop"})
    assert read_usage(tail, "message", True) == Usage(25, 0, 15)


def test_an_anthropic_stream_that_lost_its_start_knows_the_output_only() -> None:
    tail = sse(START) + b"x" * TAIL_BYTES + sse(DELTA)
    assert read_usage(tail, "message", True) == Usage(0, 0, 15)


def test_a_message_delta_that_repeats_the_input() -> None:
    whole = {"input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 15}
    assert read_usage(sse({**DELTA, "usage": whole}), "message", True) == Usage(25, 20, 15)


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b'"usage"',
        b'"usage":',
        b'"usage":{',
        b'"usage":[1]',
        b'"usage":{"prompt_tokens":"x"}',
        b'"usage":{"prompt_tokens":1e400}',
        b'"usage":{"prompt_tokens_details":7}',
        b'"usage":' + b"{" * 4000,
        b'"usage":{}' * 400,
        bytes(range(256)) * 20,
    ],
)
def test_garbage_is_zero(tail: bytes) -> None:
    for streamed in (False, True):
        assert read_usage(tail, "message", streamed) == Usage()
        assert read_usage(tail, "chat", streamed) == Usage()


def test_a_stored_answers_id_is_read_off_its_opening() -> None:
    from flyball.dialects.surface import read_response_id

    assert read_response_id(b'{"id": "resp_ab-1", "object": "response"') == "resp_ab-1"
    event = b'event: response.created\ndata: {"response":{"id":"resp_9","object":"response"}}\n\n'
    assert read_response_id(event) == "resp_9"
    assert read_response_id(b'{"id":"chatcmpl-1"') == ""
    assert read_response_id(b"") == ""
