"""Does the official OpenAI client understand chat and completion answers, streamed or not?"""

import json

import openai
import pytest

MODEL = "llama-3.1-8b"
ASKED = [{"role": "user", "content": "tell me of the sea " * 20}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


def test_chat_and_its_next_turn(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model=MODEL, messages=ASKED, max_tokens=32)
    text = first.choices[0].message.content
    assert first.choices[0].finish_reason == "length"
    assert len(text.split()) == 32 == first.usage.completion_tokens
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    turns = [*ASKED, {"role": "assistant", "content": text}, {"role": "user", "content": "go on"}]
    later = client.chat.completions.create(model=MODEL, messages=turns, max_tokens=1)
    cached = later.usage.prompt_tokens_details.cached_tokens
    assert cached >= first.usage.prompt_tokens - 16  # whole blocks of prompt and answer
    assert cached % 16 == 0


def test_streamed_chat_says_the_same(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASKED, max_tokens=20)
    stream = client.chat.completions.create(
        model=MODEL, messages=ASKED, max_tokens=20, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content for chunk in chunks[1:-2]]
    assert len(pieces) == 20
    assert "".join(pieces) == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 20


def test_tool_calls(client: openai.OpenAI) -> None:
    asked = {"model": MODEL, "messages": ASKED, "tools": TOOLS, "tool_choice": "required"}
    whole = client.chat.completions.create(**asked).choices[0]
    assert whole.finish_reason == "tool_calls"
    call = whole.message.tool_calls[0].function
    assert (call.name, set(json.loads(call.arguments))) == ("weather", {"city", "days"})
    with client.chat.completions.stream(**asked) as stream:
        for _ in stream:
            pass
        streamed = stream.get_final_completion().choices[0]
    assert streamed.message.tool_calls[0].function.arguments == call.arguments
    assert streamed.finish_reason == "tool_calls"


def test_completions(client: openai.OpenAI) -> None:
    whole = client.completions.create(model=MODEL, prompt="once", max_tokens=6)
    stream = client.completions.create(
        model=MODEL, prompt="once", max_tokens=6, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    texts = [chunk.choices[0].text for chunk in chunks if chunk.choices]
    assert "".join(texts) == whole.choices[0].text
    assert len(texts) == 6
    assert chunks[-1].usage.completion_tokens == 6
