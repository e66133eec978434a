"""Does `flyball hold` say what the operator wants, and tell what came of it?"""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from flyball.cli.hold import command, summary
from support.listener import listening


def row(name: str, **changes: Any) -> dict[str, Any]:
    fields = {"mode": "enforce", "acting": "enforce", "why": "", "held": False, "held_for_s": None}
    return {"name": name, **fields, **changes}


PAGE = {
    "at": 1.0,
    "wishes": [],
    "loops": [
        row("power"),
        row("autoscaling", held=True, held_for_s=59.6, acting="observe", why="held by ada: x"),
    ],
}


def ran(*words: str) -> tuple[int, str, list[dict[str, Any]]]:
    with listening(lambda heard: (200, json.dumps(PAGE).encode())) as server:
        result = CliRunner().invoke(command, [*words, "--url", server.url])
    return result.exit_code, result.output, [json.loads(one.body) for one in server.heard]


@pytest.mark.parametrize(
    ("words", "act"),
    [
        (("power", "--for", "60", "--reason", "r"), {"act": "hold", "loop": "power", "for_s": 60}),
        ((), {"act": "hold", "loop": "", "for_s": None}),
        (("power", "--release"), {"act": "release", "loop": "power"}),
        (("power", "--mode", "advise"), {"act": "mode", "loop": "power", "mode": "advise"}),
        (("power", "--mode", "configured"), {"act": "mode", "loop": "power", "mode": None}),
    ],
)
def test_each_act_is_said_as_it_was_meant(words: tuple[str, ...], act: dict[str, Any]) -> None:
    code, _, (said,) = ran(*words)
    assert code == 0
    assert act.items() <= said.items() and "who" in said


def test_what_came_of_it_is_one_line_per_loop() -> None:
    assert summary(PAGE, "") == (
        "power: enforce\nautoscaling: observe".replace("observe", "held for 60 s more")
        + " (held by ada: x)"
    )
    assert summary(PAGE, "power") == "power: enforce"
    code, out, _ = ran("power", "-o", "json")
    assert code == 0 and json.loads(out) == PAGE


@pytest.mark.parametrize(
    "words", [("--mode", "advise"), ("power", "--mode", "advise", "--release"), ("x", "--for", "0")]
)
def test_what_makes_no_sense_is_exit_2(words: tuple[str, ...]) -> None:
    code, out, said = ran(*words)
    assert code == 2 and not said and "Error" in out
