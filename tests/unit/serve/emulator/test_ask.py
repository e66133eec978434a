"""Is each API's request understood, and is a bad one refused with the field at fault?"""

import json
from typing import Any

import pytest

from flyball.serve.emulator.ask import Ask, AskError, Surface, read_ask

TURN = {"role": "user", "content": "hello"}
WEATHER = {"name": "weather", "parameters": {"type": "object"}}
TOOLS = [{"type": "function", "function": WEATHER}]


def ask(surface: Surface, **fields: Any) -> Ask:
    return read_ask(surface, json.dumps({"model": "m"} | fields).encode())


def test_a_conversation_with_one_more_turn_starts_with_the_same_bytes() -> None:
    first = ask("chat", messages=[TURN]).prompts[0]
    longer = [TURN, {"role": "assistant", "content": "sun "}, TURN]
    assert ask("chat", messages=longer).prompts[0].startswith(first + b"sun ")


def test_bounds_of_every_api() -> None:
    assert ask("chat", messages=[TURN], max_tokens=7).output_tokens_max == 7
    newer = ask("chat", messages=[TURN], max_tokens=7, max_completion_tokens=5)
    assert newer.output_tokens_max == 5
    assert ask("response", input="x", max_output_tokens=3).output_tokens_max == 3
    assert ask("message", messages=[TURN], max_tokens=9).output_tokens_max == 9
    assert ask("completion", prompt="x").output_tokens_max == 0


def test_tokens_are_four_bytes() -> None:
    assert ask("completion", prompt="x" * 9).input_tokens == 3
    assert ask("completion", prompt=[5, 6, 7]).input_tokens == 3
    assert ask("embedding", input=["abcd", "abcde"]).input_tokens == 3
    assert ask("embedding", input="").input_tokens == 1


def test_parts_and_images_count() -> None:
    text = [{"type": "text", "text": "hello"}]
    same = ask("chat", messages=[{"role": "user", "content": text}])
    assert same.prompts == ask("chat", messages=[TURN]).prompts
    image = [*text, {"type": "image_url", "image_url": {"url": "data:,"}}]
    more = ask("chat", messages=[{"role": "user", "content": image}])
    assert more.input_tokens == same.input_tokens + 256


@pytest.mark.parametrize(
    ("fields", "called"),
    [
        ({}, None),
        ({"tool_choice": "required"}, "weather"),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "weather"),
        ({"messages": [{"role": "user", "content": "use a tool"}]}, "weather"),
        ({"messages": [{"role": "user", "content": "use a tool"}], "tool_choice": "none"}, None),
    ],
)
def test_when_a_tool_is_called(fields: dict[str, Any], called: str | None) -> None:
    got = ask("chat", **({"messages": [TURN], "tools": TOOLS} | fields))
    assert (got.tool.name if got.tool else None) == called


def test_a_tool_result_is_no_wish_for_a_tool() -> None:
    turns = [TURN, {"role": "tool", "content": "the tool says 5", "tool_call_id": "1"}]
    assert ask("chat", messages=turns, tools=TOOLS).tool is None


@pytest.mark.parametrize(
    ("surface", "body", "param"),
    [
        ("chat", b"{", ""),
        ("chat", b"[]", ""),
        ("chat", b"{}", "model"),
        ("chat", b'{"model":"m"}', "messages"),
        ("chat", b'{"model":"m","messages":[]}', "messages"),
        ("chat", b'{"model":"m","messages":[3]}', "messages[0]"),
        ("chat", b'{"model":"m","messages":[{}],"max_tokens":0}', "max_tokens"),
        ("chat", b'{"model":"m","messages":[{}],"max_tokens":"5"}', "max_tokens"),
        ("chat", b'{"model":"m","messages":[{}],"n":2}', "n"),
        ("chat", b'{"model":"m","messages":[{}],"tools":[{}]}', "tools"),
        (
            "chat",
            b'{"model":"m","messages":[{}],"tools":[{"name":"a"}],'
            b'"tool_choice":{"type":"function","function":{"name":"b"}}}',
            "tool_choice",
        ),
        ("completion", b'{"model":"m"}', "prompt"),
        ("embedding", b'{"model":"m","input":[]}', "input"),
        ("embedding", b'{"model":"m","input":[{}]}', "input"),
        ("response", b'{"model":"m"}', "input"),
        ("message", b'{"model":"m","messages":[{}]}', "max_tokens"),
    ],
)
def test_bad_requests_name_the_field(surface: Surface, body: bytes, param: str) -> None:
    with pytest.raises(AskError) as caught:
        read_ask(surface, body)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.message
