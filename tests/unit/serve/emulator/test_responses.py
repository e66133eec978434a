"""Does the official OpenAI client understand the Responses API, streamed or not?"""

import json

import openai
import pytest

MODEL = "llama-3.1-8b"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


def test_whole_and_streamed_agree(client: openai.OpenAI) -> None:
    whole = client.responses.create(model=MODEL, input="hello you")
    with client.responses.stream(model=MODEL, input="hello you") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert (whole.status, final.status) == ("completed", "completed")
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds.count("response.output_text.delta") == final.usage.output_tokens
    assert kinds[-1] == "response.completed"


def test_an_answer_cut_by_its_bound_is_incomplete(client: openai.OpenAI) -> None:
    asked = {"model": MODEL, "input": "hello", "max_output_tokens": 5}
    whole = client.responses.create(**asked)
    assert (whole.status, whole.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    events = list(client.responses.create(**asked, stream=True))
    assert events[-1].type == "response.incomplete"
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_function_calls(client: openai.OpenAI) -> None:
    tools = [{"type": "function", "name": "count", "parameters": SCHEMA, "strict": True}]
    asked = {"model": MODEL, "input": "use the tool", "tools": tools}
    call = client.responses.create(**asked).output[0]
    assert (call.type, call.name, set(json.loads(call.arguments))) == (
        "function_call", "count", {"n"},
    )  # fmt: skip
    with client.responses.stream(**asked) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output[0].arguments == call.arguments
