"""Which bytes of a body say how long the answer may be, and which are its oldest turns?

A conversation is cut by whole messages only; each byte that stays is as it was. A turn begins with
a user's message that brings no tool results. Dropped are, oldest first: whole turns before the
last one; then, within that, an assistant's message together with the tool results that answer it.
So a tool call never stands without its result nor a result without its call, the first message that
stays is the user's, and the last message always stays (OpenAI's and Anthropic's rules for `tools`:
each call must be answered in the next messages; Anthropic: the first message is the user's).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from flyball.model.request import Operation
from flyball.units import Bytes, Ratio, Tokens

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
_SCALAR = re.compile(rb"[^,}\]\s]+")
_BETWEEN = re.compile(rb"[\s,]*")
_SYSTEM_ROLES = frozenset(("system", "developer"))
_RESULT_ROLES = frozenset(("tool", "function"))
# The fields that bound an answer, the first for where there is none yet.
_BOUNDS: dict[Operation, tuple[str, ...]] = {
    "chat": ("max_tokens", "max_completion_tokens"),
    "completion": ("max_tokens",),
    "message": ("max_tokens",),
    "response": ("max_output_tokens",),
}


class Member(NamedTuple):
    """A key of the body's object and where its value stands."""

    key: str
    start: int
    end: int


class _Block(Struct, gc=False):
    type: str = ""


class _Message(Struct, gc=False):
    role: str = ""
    content: Raw = Raw()


class _Turn(NamedTuple):
    """`steps` = the droppable parts of the turn, each a list of message numbers; `head` = the
    user's message with which it begins (and whatever no step holds)."""

    head: list[int]
    steps: list[list[int]]


_DECODE_MESSAGE = msgspec.json.Decoder(_Message).decode
_DECODE_BLOCKS = msgspec.json.Decoder(list[_Block]).decode


def members(body: bytes) -> Iterator[Member]:
    """The members of a JSON object that was read before, in order; nested ones left out."""
    depth, key, start = 0, None, 0
    skip_to = 0
    for token in _TOKEN.finditer(body):
        at, first = token.start(), body[token.start()]
        if at < skip_to:
            continue
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
            if depth == 1 and key is not None:
                yield Member(key, start, token.end())
                key = None
        elif depth == 1 and key is None:
            colon = _COLON.match(body, token.end())
            if colon is None:
                continue
            key, start = msgspec.json.decode(token[0], type=str), colon.end()
            if body[start] in b"{[":
                continue
            value = _TOKEN.match(body, start) or _SCALAR.match(body, start)
            if value is not None:
                skip_to = value.end()
                yield Member(key, start, skip_to)
                key = None


def bound_output(body: bytes, operation: Operation, tokens_max: Tokens) -> bytes:
    """`body` with the answer bounded to `tokens_max`: each field that bounds it is set, or one is
    put in front where there is none."""
    names = _BOUNDS.get(operation, ())
    if not names:
        return body
    value = str(tokens_max).encode("ascii")
    found = [member for member in members(body) if member.key in names]
    if not found:
        brace = body.index(b"{") + 1
        field = f'"{names[0]}":{tokens_max},'.encode("ascii")
        return body[:brace] + field + body[brace:]
    pieces: list[bytes] = []
    done = 0
    for member in found:
        pieces += (body[done : member.start], value)
        done = member.end
    return b"".join((*pieces, body[done:]))


def trim_turns(
    body: bytes, prompt_bytes: Bytes, kept_ratio: Ratio, keep_system: bool = True
) -> bytes:
    """`body` without its oldest turns, as far as at least `kept_ratio` of the prompt's bytes stay.

    System messages before the first turn always stay, later ones too if `keep_system`.
    The body as it is where nothing may go: one message, or members that are not as expected.
    """
    places = [member for member in members(body) if member.key == "messages"]
    if len(places) != 1 or body[places[0].start] != 0x5B:
        return body
    spans = _elements(body, places[0].start, places[0].end)
    try:
        messages = [_DECODE_MESSAGE(body[start:end]) for start, end in spans]
    except msgspec.MsgspecError:
        return body
    dropped = _choose(
        messages, [end - start for start, end in spans], prompt_bytes * (1.0 - kept_ratio),
        keep_system,
    )  # fmt: skip
    return _without(body, spans, dropped) if dropped else body


def _elements(body: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where the objects of an array stand; strings and numbers among them are passed by."""
    spans: list[tuple[int, int]] = []
    depth, begin = 0, 0
    for token in _TOKEN.finditer(body, start, end):
        first = body[token.start()]
        if first in b"{[":
            depth += 1
            if depth == 2:
                begin = token.start()
        elif first in b"}]":
            depth -= 1
            if depth == 1:
                spans.append((begin, token.end()))
    return spans


def _choose(messages: list[_Message], sizes: list[int], room: float, keep_system: bool) -> set[int]:
    """Numbers of the messages to drop: oldest first, as long as all of a part fits in `room`."""
    turns = _turns(messages, keep_system)
    if not turns:
        return set()
    parts = [turn.head + [number for step in turn.steps for number in step] for turn in turns[:-1]]
    parts += turns[-1].steps
    last = len(messages) - 1
    dropped: set[int] = set()
    for part in parts:
        room -= sum(sizes[number] for number in part)
        if room < 0.0 or last in part:
            break
        dropped.update(part)
    return dropped


def _turns(messages: list[_Message], keep_system: bool) -> list[_Turn]:
    """The conversation as turns; what stands before the first of them always stays."""
    turns: list[_Turn] = []
    for number, message in enumerate(messages):
        role = message.role
        if role in _SYSTEM_ROLES and (keep_system or not turns):
            continue
        if role == "user" and not _brings_results(message):
            turns.append(_Turn([number], []))
        elif not turns:
            continue
        elif role == "assistant" or not turns[-1].steps:
            turns[-1].steps.append([number])
        else:
            turns[-1].steps[-1].append(number)
    return turns


def _brings_results(message: _Message) -> bool:
    if message.role in _RESULT_ROLES:
        return True
    content = bytes(message.content)
    if content[:1] != b"[" or b"tool_result" not in content:
        return False
    try:
        return any(block.type == "tool_result" for block in _DECODE_BLOCKS(content))
    except msgspec.MsgspecError:
        return True


def _without(body: bytes, spans: list[tuple[int, int]], dropped: set[int]) -> bytes:
    """The body without these elements, each with the comma behind it."""
    pieces: list[bytes] = []
    done = 0
    for number in sorted(dropped):
        start, end = spans[number]
        between = _BETWEEN.match(body, end)
        pieces.append(body[done:start])
        done = between.end() if between is not None else end
    return b"".join((*pieces, body[done:]))
