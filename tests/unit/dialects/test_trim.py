"""Does a cut drop whole oldest turns, calls with their results, and leave all else as it was?"""

import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.dialects.trim import bound_output, members, trim_turns

TEXT = st.text(max_size=40)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OTHERS = st.dictionaries(
    TEXT.filter(lambda key: key not in ("messages", "max_tokens", "max_completion_tokens")),
    JSON,
    max_size=4,
)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def openai_step(number: int, text: str) -> list[dict[str, Any]]:
    call = {"id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": text},
    ]


def anthropic_step(number: int, text: str) -> list[dict[str, Any]]:
    use = {"type": "tool_use", "id": f"c{number}", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": f"c{number}", "content": text}
    return [
        {"role": "assistant", "content": [{"type": "text", "text": text}, use]},
        {"role": "user", "content": [result, {"type": "text", "text": "go on"}]},
    ]


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    step = draw(st.sampled_from((openai_step, anthropic_step)))
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": draw(st.sampled_from(("system", "developer"))), "content": "be"})
    for turn in range(draw(st.integers(1, 4))):
        messages.append(user(draw(TEXT)))
        for number in range(draw(st.integers(0, 3))):
            messages += step(10 * turn + number, draw(TEXT))
        if draw(st.booleans()):
            messages.append({"role": "assistant", "content": draw(TEXT)})
    messages.append(user(draw(TEXT)))
    return messages


def calls_of(message: dict[str, Any]) -> set[str]:
    found = {call["id"] for call in message.get("tool_calls") or ()}
    content = message["content"]
    if isinstance(content, list):
        found |= {block["id"] for block in content if block["type"] == "tool_use"}
    return found


def results_of(message: dict[str, Any]) -> set[str]:
    content = message["content"]
    found = {message["tool_call_id"]} if "tool_call_id" in message else set[str]()
    if isinstance(content, list):
        found |= {block["tool_use_id"] for block in content if block["type"] == "tool_result"}
    return found


def is_within(small: list[Any], large: list[Any]) -> bool:
    rest = iter(large)
    return all(any(one == other for other in rest) for one in small)


@given(
    messages=conversations(),
    others=OTHERS,
    kept=st.floats(0.0, 1.0),
    indent=st.sampled_from((None, 1)),
    keep_system=st.booleans(),
)
def test_a_cut(
    messages: list[dict[str, Any]],
    others: dict[str, Any],
    kept: float,
    indent: int | None,
    keep_system: bool,
) -> None:
    whole = {**others, "model": "m", "messages": messages, "zeta": [1, {"messages": [2]}]}
    body = json.dumps(whole, indent=indent, ensure_ascii=False).encode()
    size = len(json.dumps(messages, indent=indent, ensure_ascii=False).encode())
    cut = trim_turns(body, size, kept, keep_system)
    after = json.loads(cut)
    left = after["messages"]
    assert list(after) == list(whole)
    assert {**after, "messages": messages} == whole  # unknown fields untouched
    assert is_within(left, messages)
    assert left[-1] == messages[-1]
    roles = [message["role"] for message in left]
    assert next(role for role in roles if role not in ("system", "developer")) == "user"
    assert not keep_system or roles.count("system") == sum(m["role"] == "system" for m in messages)
    called: set[str] = set()
    for message in left:
        assert results_of(message) <= called
        called |= calls_of(message)
    asked = {one for message in left for one in calls_of(message)}
    assert asked == {one for message in left for one in results_of(message)}
    # Never below what was granted: separators apart, only messages' bytes go.
    assert len(body) - len(cut) <= size * (1.0 - kept) + 20 * len(messages)


def test_the_oldest_turns_go_first() -> None:
    messages = [user(f"question {n} {'x' * 50}") for n in range(5)]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    left = json.loads(trim_turns(body, len(body), 0.5))["messages"]
    assert left == messages[2:]


def test_an_agents_task_stays_and_its_oldest_steps_go() -> None:
    steps = [openai_step(n, "y" * 200) for n in range(6)]
    messages = [{"role": "system", "content": "s"}, user("task"), *chain.from_iterable(steps)]
    body = json.dumps({"messages": messages}).encode()
    left = json.loads(trim_turns(body, len(body), 0.6))["messages"]
    assert left[:2] == messages[:2]
    assert left[2:] == list(chain.from_iterable(steps[2:]))


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","prompt":"hello"}',
        b'{"messages":"no list"}',
        b'{"messages":[]}',
        b'{"messages":[1,2,3]}',
        b'{"messages":[{"role":7}]}',
        b'{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}',
        b'{"messages":[{"role":"user","content":"only"}]}',
    ],
)
def test_what_is_not_understood_is_left_alone(body: bytes) -> None:
    assert trim_turns(body, 1000, 0.0) == body


@given(value=JSON, others=OTHERS, bound=st.integers(1, 100_000))
def test_members(value: Any, others: dict[str, Any], bound: int) -> None:
    whole = {**others, "last": value}
    body = json.dumps(whole).encode()
    found = list(members(body))
    assert [one.key for one in found] == list(whole)
    assert [json.loads(body[one.start : one.end]) for one in found] == list(whole.values())
    bounded = json.loads(bound_output(body, "chat", bound))
    assert bounded == {"max_tokens": bound, **whole}


@pytest.mark.parametrize(
    ("operation", "body", "wanted"),
    [
        ("chat", b'{"max_tokens" : 9, "a":1}', b'{"max_tokens" : 5, "a":1}'),
        ("chat", b'{"max_completion_tokens":null}', b'{"max_completion_tokens":5}'),
        ("message", b'{"x":{"max_tokens":1},"max_tokens":9}',
         b'{"x":{"max_tokens":1},"max_tokens":5}'),
        ("response", b'{"input":"hi"}', b'{"max_output_tokens":5,"input":"hi"}'),
        ("completion", b' {"prompt":"\\"max_tokens\\":3"}',
         b' {"max_tokens":5,"prompt":"\\"max_tokens\\":3"}'),
        ("embedding", b'{"input":"hi"}', b'{"input":"hi"}'),
    ],
)  # fmt: skip
def test_the_bound_of_an_answer(operation: Any, body: bytes, wanted: bytes) -> None:
    assert bound_output(body, operation, 5) == wanted
