"""Is a gateway's page of loops read, and is it told when it cannot be, or when it refuses?"""

import json

import pytest

from flyball.cli.loops_page import KEY_ENV, PATH, fetch, tell
from support.listener import listening

PAGE = {"at": 1.0, "loops": [], "wishes": []}


def test_the_page_is_fetched_and_acts_carry_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, "ops")
    with listening(lambda heard: (200, json.dumps(PAGE).encode())) as server:
        assert fetch(server.url + "/") == PAGE
        assert tell(server.url, {"act": "hold"}) == PAGE
    read, act = server.heard
    assert (read.method, read.path, act.method) == ("GET", PATH, "POST")
    assert "authorization" not in read.fields
    assert act.fields["authorization"] == "Bearer ops"
    assert json.loads(act.body) == {"act": "hold"}


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (403, b'{"error":"not the key"}', f"not the key. Set {KEY_ENV}"),
        (404, b'{"error":{"message":"no such path"}}', "no such path"),
        (500, b"oops", "it answers 500"),
    ],
)
def test_a_refusal_is_told_and_is_exit_1(
    status: int, body: bytes, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(lambda heard: (status, body)) as server, pytest.raises(SystemExit) as ended:
        tell(server.url, {"act": "hold"})
    assert ended.value.code == 1
    assert text in capsys.readouterr().err


def test_no_gateway_and_no_page_of_loops_are_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fetch("http://127.0.0.1:9")
    assert ended.value.code == 2 and "flyball serve" in capsys.readouterr().err
    with listening(lambda heard: (200, b"[]")) as server, pytest.raises(SystemExit) as ended:
        fetch(server.url)
    assert ended.value.code == 2
