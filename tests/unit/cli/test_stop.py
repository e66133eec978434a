"""Does `flyball stop` stop what it names, in a person's name, and say so when it may not?"""

import json
from pathlib import Path

import pytest

from flyball.cli.stop import command
from flyball.governor.events import StopSet
from support.doors import ran, shut, the_door


def test_it_is_in_force_here_or_everywhere(tmp_path: Path) -> None:
    with the_door(tmp_path) as door:
        code, out, _ = ran(command, "class:c", "--reason", "fire", *door.by("ada"))
        assert code == 0 and out.startswith("stop class:c in force: order ")
        words = ("all", "--reason", "f", "--for", "60", "--everywhere", "-o", "json")
        code, out, _ = ran(command, *words, *door.by("bob"))
        assert code == 0 and json.loads(out)["scope"] == "all"
        first, second = [one for one in door.around.events if isinstance(one, StopSet)]
        assert (first.scope, first.by, first.until) == ("class:c", "ada", 0.0)
        assert round(second.until - second.made_at) == 60
        sites = [json.loads(json.loads(line)["event"])["event"]["site"] for line in door.told()]
        assert sites == ["north", ""]


@pytest.mark.parametrize(
    ("who", "scope", "code", "told"),
    [
        ("vic", "all", 1, "may not stop"),
        ("eve", "all", 1, "nobody of that name"),
        ("ada", "everything", 2, "is no scope"),
    ],
)
def test_who_may_not_is_told(tmp_path: Path, who: str, scope: str, code: int, told: str) -> None:
    with the_door(tmp_path) as door:
        found, out, err = ran(command, scope, "--reason", "r", *door.by(who))
        assert (found, out) == (code, "") and told in err and "Traceback" not in err
        assert door.around.events == []


def test_nobody_there_is_code_2(tmp_path: Path) -> None:
    code, out, err = ran(command, "all", "--reason", "r", *shut(tmp_path))
    assert code == 2 and out == "" and "--url" in err
