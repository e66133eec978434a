"""Does each method and path lead to its operation, and does a wrong one say what was meant?"""

import pytest

from flyball.dialects.routes import route
from flyball.model.faults import Refusal

ROUTES = [
    (b"POST", b"/v1/chat/completions", "chat"),
    (b"POST", b"/v1/completions", "completion"),
    (b"POST", b"/v1/embeddings", "embedding"),
    (b"POST", b"/v1/responses", "response"),
    (b"POST", b"/v1/messages", "message"),
    (b"POST", b"/v1/messages?beta=true", "message"),
    (b"POST", b"/v1/messages/count_tokens?beta=true", "message"),
    (b"POST", b"/v1/chat/completions/", "chat"),
    (b"GET", b"/v1/models", "models"),
    (b"GET", b"/v1/models/org/name", "models"),
    (b"GET", b"/v2", "models"),
    (b"GET", b"/v2/health/live", "models"),
    (b"GET", b"/v2/health/ready", "models"),
    (b"GET", b"/v2/models/m/ready", "models"),
    (b"GET", b"/v2/models/m/versions/1/ready", "models"),
    (b"GET", b"/v2/models/m", "infer"),
    (b"GET", b"/v2/models/m/versions/1", "infer"),
    (b"POST", b"/v2/models/m/infer", "infer"),
    (b"POST", b"/v2/models/m/versions/v1/infer", "infer"),
]


@pytest.mark.parametrize(("method", "path", "operation"), ROUTES)
def test_known_routes(method: bytes, path: bytes, operation: str) -> None:
    assert route(method, path) == operation


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (b"/chat/completions", "/v1/chat/completions"),
        (b"/models", "/v1/models"),
        (b"/v1/chat/completion", "/v1/chat/completions"),
        (b"/v1/embedding", "/v1/embeddings"),
    ],
)
def test_a_near_miss_says_what_was_meant(path: bytes, meant: str) -> None:
    refusal = route(b"POST", path)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "not_found"
    assert f"did you mean {meant}" in refusal.message


@pytest.mark.parametrize(
    "path", [b"/", b"", b"/v2/models/", b"/v2/models//infer", b"/v2/models/m/versions/1/x", b"/zzz"]
)
def test_nothing_there(path: bytes) -> None:
    refusal = route(b"GET", path)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        (b"GET", b"/v1/chat/completions", "POST"),
        (b"POST", b"/v1/models", "GET"),
        (b"DELETE", b"/v2/models/m/infer", "POST"),
        (b"HEAD", b"/v2/health/live", "GET"),
    ],
)
def test_a_wrong_method_names_the_right_one(method: bytes, path: bytes, allow: str) -> None:
    refusal = route(method, path)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.allow) == ("method_not_allowed", allow)


def test_a_hostile_path_is_shown_harmlessly() -> None:
    refusal = route(b"GET", b"/\x00\x1b[31m\xff" + b"a" * 5000)
    assert isinstance(refusal, Refusal)
    assert refusal.detail.isprintable()
    assert refusal.detail.isascii()
    assert len(refusal.detail) < 300
