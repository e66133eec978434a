"""May only operators act on loops, and only by acts that are whole and bounded?"""

import json
from hashlib import sha256
from typing import Any

import pytest

from flyball.serve.process.operator import TEXT_CHARS_MAX, Act, read_act
from flyball.serve.relay.heads import Request

KEY = sha256(b"ops").hexdigest()


def asked(body: Any, key: str = "") -> Request:
    request = Request(b"POST", b"/v1/flyball/loops", False)
    request.body = json.dumps(body).encode()
    if key:
        request.fields = [(b"authorization", f"Bearer {key}".encode())]
    return request


def test_with_the_key_an_act_is_read() -> None:
    body = {"act": "hold", "loop": "power", "for_s": 60, "reason": "a deploy", "who": "ada"}
    assert read_act(asked(body, "ops"), KEY) == Act(**body)


@pytest.mark.parametrize(("key", "digest"), [("", KEY), ("opS", KEY), ("ops", None), ("", None)])
def test_without_it_nobody_may(key: str, digest: str | None) -> None:
    found = read_act(asked({"act": "hold"}, key), digest)
    assert isinstance(found, tuple) and found[0] == 403 and "admin.key_env" in found[1]


def test_where_no_key_is_asked_for_anyone_may() -> None:
    assert read_act(asked({"act": "release"}), "") == Act(act="release")


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"act": "explode"},
        {"act": "hold", "for_s": 0},
        {"act": "hold", "for_s": 1e9},
        {"act": "mode", "mode": "observe"},
        {"act": "mode", "loop": "x", "mode": "wild"},
        {"act": "hold", "reason": "x" * (TEXT_CHARS_MAX + 1)},
        {"act": "hold", "unknown": 1},
    ],
)
def test_what_is_no_act_is_told_why(body: Any) -> None:
    found = read_act(asked(body), "")
    assert isinstance(found, tuple) and found[0] == 400 and found[1]
