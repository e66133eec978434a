"""Does the official Anthropic client understand the Messages API, streamed or not?"""

import anthropic
import pytest

MODEL = "llama-3.1-8b"
ASKED = [{"role": "user", "content": "tell me of the river " * 20}]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)


def test_whole_and_streamed_agree(client: anthropic.Anthropic) -> None:
    asked = {"model": MODEL, "max_tokens": 10, "messages": ASKED, "system": "be brief"}
    whole = client.messages.create(**asked)
    assert whole.stop_reason == "max_tokens"
    with client.messages.stream(**asked) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) == 10
    assert "".join(pieces) == whole.content[0].text
    assert final.stop_reason == "max_tokens"
    sent = whole.usage.input_tokens + whole.usage.cache_read_input_tokens
    assert final.usage.cache_read_input_tokens > 0
    assert final.usage.input_tokens + final.usage.cache_read_input_tokens == sent


def test_tool_use(client: anthropic.Anthropic) -> None:
    tools = [{"name": "count", "input_schema": SCHEMA}]
    asked = {
        "model": MODEL, "max_tokens": 99, "messages": ASKED, "tools": tools,
        "tool_choice": {"type": "any"},
    }  # fmt: skip
    block = client.messages.create(**asked).content[0]
    assert (block.type, block.name, list(block.input)) == ("tool_use", "count", ["n"])
    with client.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    assert final.content[0].input == block.input
    assert final.stop_reason == "tool_use"


def test_errors_are_anthropics(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="nobody", max_tokens=1, messages=ASKED)
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == "not_found_error"
