"""Does `flyball plan` place the examples, and tell apart yes, no and cannot?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from flyball.cli import main

FOLDER = Path(__file__).parents[3] / "examples" / "plans"
EUROPE, TIGHT = str(FOLDER / "europe.yaml"), str(FOLDER / "tight.yaml")


def plan(*words: str) -> Result:
    return CliRunner().invoke(main, ["plan", *words])


def test_the_european_example_is_served_and_says_what_is_scarce() -> None:
    done = plan(EUROPE, "-o", "json")
    assert done.exit_code == 0, done.output
    page = json.loads(done.stdout)
    assert page["serves_all"] and page["twin"] == []
    sites = {site["site"]: site for site in page["sites"]}
    assert sites["oslo-edge"]["usd_per_mw_hour"] > 100
    assert sites["frankfurt-dc"]["usd_per_mw_hour"] == 0
    rules = {rule["class_name"]: rule for rule in page["rules"]}
    assert rules["case-files"]["saved_usd_per_hour"] > 0.5
    moves = {(move["from_site"], move["accelerator"]): move for move in page["misplaced"]}
    assert moves["oslo-edge", "A100-SXM-80GB"]["gain_usd_per_hour"] > 0.5
    control = next(flow for flow in page["flows"] if flow["class_name"] == "control")
    assert {share["site"] for share in control["shares"]} == {"oslo-edge"}
    cases = [flow for flow in page["flows"] if flow["class_name"] == "case-files"]
    assert {share["site"] for flow in cases for share in flow["shares"]} == {"frankfurt-dc"}


def test_what_cannot_be_served_is_exit_code_1_with_the_cheapest_change() -> None:
    done = plan(TIGHT)
    assert done.exit_code == 1
    assert "NOT all can be served" in done.stdout
    assert "control from hamburg: 50 requests/s have no place" in done.stdout
    assert "promise control e2e" in done.stdout and "let chat run in UK" in done.stdout
    assert "hamburg-edge" in done.stdout and "kW more" in done.stdout


def test_the_twin_can_be_asked() -> None:
    done = plan(EUROPE, "--simulate", "3", "-o", "markdown")
    assert done.exit_code == 0, done.output
    assert "## The plan in the twin" in done.stdout
    assert "3 s in the twin" in done.stderr and "twin …" not in done.stdout


def test_the_schema_judges_the_examples() -> None:
    from ruamel.yaml import YAML

    done = plan("--schema")
    assert done.exit_code == 0
    schema = json.loads(done.stdout)
    for path in (EUROPE, TIGHT):
        Draft202012Validator(schema).validate(YAML(typ="safe").load(Path(path).read_text()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a plan file"),
        (("none.yaml",), "cannot read none.yaml"),
        ((EUROPE, "--time-limit", "0"), "time-limit"),
    ],
)
def test_what_cannot_be_done_is_exit_code_2(words: tuple[str, ...], said: str) -> None:
    done = plan(*words)
    assert done.exit_code == 2
    assert said in done.stderr and "Traceback" not in done.stderr
