"""Does `flyball advise` show what is recommended, and by its exit code whether anything is?"""

import json
from typing import Any

from click.testing import CliRunner

from flyball.cli.advise import command, is_open, line
from support.listener import listening


def wish(loop: str = "autoscaling", **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "loop": loop,
        "actuator": "pool.replicas",
        "scope": "chat",
        "present": 3.0,
        "wish": 2.0,
        "mode": "advise",
        "reason": "quiet",
        "targets": ["chat-1"],
        "age_s": 12.3,
    }
    return {**fields, **changes}


def ran(wishes: list[dict[str, Any]], *words: str) -> tuple[int, str]:
    page = {"at": 1.0, "loops": [], "wishes": wishes}
    with listening(lambda heard: (200, json.dumps(page).encode())) as server:
        result = CliRunner().invoke(command, [*words, "--url", server.url])
    return result.exit_code, result.output


def test_a_recommendation_is_a_line_and_exit_1() -> None:
    code, out = ran([wish(), wish("power", wish=3.0)])
    assert code == 1
    assert out == ("autoscaling: pool.replicas of chat: 3 -> 2 (chat-1) [advise, 12 s ago] quiet\n")


def test_nothing_to_do_is_exit_0() -> None:
    code, out = ran([wish(wish=3.0), wish(mode="enforce")])
    assert (code, out) == (0, "nothing is recommended now\n")
    code, out = ran([wish(wish=3.0)], "--all")
    assert code == 0 and "3 -> 3" in out


def test_one_loop_alone_and_json() -> None:
    code, out = ran([wish(), wish("power", wish=3.0)], "power", "-o", "json")
    assert code == 0
    assert [one["loop"] for one in json.loads(out)["wishes"]] == ["power"]


def test_what_is_enforced_or_gone_is_not_open() -> None:
    assert is_open(wish())
    assert not is_open(wish(mode="enforce")) and not is_open(wish(wish=None))
    assert line(wish(targets=[])).count("(") == 0
