"""Is a session told by what agent harnesses really send, in the stated order, and bounded?"""

import json

import pytest

from flyball.dialects.envelope import read_envelope
from flyball.dialects.sessions import HEADERS, read_body_session, read_header_session

UUID = "57a121ec-f78c-48c3-a745-e3036a3ecc33"


def body_session(**fields: object) -> tuple[str, str]:
    return read_body_session(read_envelope(json.dumps({"model": "m", **fields}).encode()))


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_names_a_session(name: bytes) -> None:
    assert read_header_session({name: b" s-1 "}) == ("s-1", name.decode())


def test_our_header_comes_first() -> None:
    found = {b"session-id": b"codex", b"x-flyball-session": b"ours"}
    assert read_header_session(found) == ("ours", "x-flyball-session")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("", "")),
        ({"prompt_cache_key": "k", "previous_response_id": "r"}, ("k", "prompt_cache_key")),
        ({"conversation": "c1"}, ("c1", "conversation")),
        ({"conversation": {"id": "c2"}}, ("c2", "conversation")),
        ({"conversation": 5, "previous_response_id": "r"}, ("r", "previous_response_id")),
        ({"metadata": {"session_id": "s"}}, ("s", "metadata.session_id")),
        ({"metadata": {"conversation_id": "s"}}, ("s", "metadata.conversation_id")),
        (
            {"metadata": {"user_id": f"user_{'a' * 64}_account__session_{UUID}"}},
            (UUID, "metadata.user_id"),
        ),
        (
            {"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": UUID})}},
            (UUID, "metadata.user_id"),
        ),
    ],
)
def test_ids_in_the_body(fields: dict[str, object], expected: tuple[str, str]) -> None:
    assert body_session(**fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "alice"},
        {"metadata": {"user_id": "alice"}},
        {"metadata": {"user_id": "{broken"}},
        {"metadata": {"user_id": '{"session_id": 4}'}},
        {"metadata": {"session_id": 4}},
        {"metadata": "text"},
        {"metadata": None},
        {"metadata": {"session_id": "s", "pad": "x" * 5000}},
    ],
)
def test_persons_and_nonsense_are_no_sessions(fields: dict[str, object]) -> None:
    assert body_session(**fields) == ("", "")


def test_a_long_id_is_kept_as_its_hash() -> None:
    session, source = body_session(prompt_cache_key="x" * 10_000)
    assert source == "prompt_cache_key"
    assert session.startswith("xxh3:")
    assert len(session) < 50
    assert session != body_session(prompt_cache_key="x" * 10_001)[0]
