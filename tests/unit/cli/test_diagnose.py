"""Does `flyball diagnose` find, judge a change beforehand, and answer by its exit code?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main

LOOPS = """\
version: v1
loops:
  autoscaler:
    actuator: pool.replicas
    period_s: 30
    delay_s: 90
    reads: [{signal: utilization, when_high: raise, gain: 0.1, target: 0.7}]
effects:
  - {actuator: pool.replicas, signal: utilization, gain: -1}
"""
SECOND = """\
version: v1
loops:
  keda: {actuator: pool.replicas, period_s: 15}
"""
CHANGE = "version: v1\nloops:\n  autoscaler: {gain: 1.9}\n"
ASIDE = """\
version: v1
suppress:
  - {code: FB-101, until: "2999-01-01", reason: planned for the migration}
  - {code: FB-103, until: "2020-01-01", reason: long forgotten}
"""


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    for name, text in (
        ("loops", LOOPS), ("second", SECOND), ("change", CHANGE), ("aside", ASIDE),
    ):  # fmt: skip
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    named = [str(folder / word) if word.endswith(".yaml") else word for word in words]
    return CliRunner().invoke(main, ["diagnose", *named])


def test_a_quiet_fleet_is_exit_0(folder: Path) -> None:
    result = run(folder, "--loops", "loops.yaml")
    assert result.exit_code == 0, result.output
    assert result.stdout == "findings: 0 errors, 0 warnings, 0 notes (1 loops, 1 of them acting)\n"


def test_sources_are_joined_and_a_conflict_is_exit_1(folder: Path) -> None:
    result = run(folder, "--loops", "loops.yaml", "--loops", "second.yaml", "-o", "json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert [one["code"] for one in data["findings"]] == ["FB-101"]
    assert len(data["graph"]["members"]) == 2


def test_a_change_is_judged_before_it_is_applied(folder: Path) -> None:
    result = run(folder, "--loops", "loops.yaml", "--what-if", "change.yaml")
    assert result.exit_code == 1
    assert "FB-113 error: autoscaler oscillates by itself" in result.stdout
    assert "gain margin alone: 0.2342 (limit 1)" in result.stdout


def test_what_was_there_before_the_change_is_no_new_finding(folder: Path) -> None:
    (folder / "change.yaml").write_text("version: v1\nloops:\n  keda: {period_s: 20}\n")
    words = ["--loops", "loops.yaml", "--loops", "second.yaml", "--what-if", "change.yaml"]
    result = run(folder, *words)
    assert result.exit_code == 0 and "stays: FB-101" in result.stdout


def test_what_is_put_aside_is_no_reason_for_exit_1_and_what_expired_is_said(folder: Path) -> None:
    both = ["--loops", "loops.yaml", "--loops", "second.yaml"]
    result = run(folder, *both, "--suppress", "aside.yaml")
    assert result.exit_code == 0
    assert "put aside: FB-101" in result.stdout and "planned for the migration" in result.stdout
    assert "expired: the suppression of FB-103 (long forgotten) is over" in result.stdout


def test_the_level_decides_the_exit_code(folder: Path) -> None:
    change = "version: v1\nloops:\n  autoscaler: {gain: 0.2}\n"
    (folder / "change.yaml").write_text(change)
    words = ["--loops", "loops.yaml", "--what-if", "change.yaml"]
    assert "FB-106 warning" in run(folder, *words).stdout
    assert run(folder, *words).exit_code == 1
    assert run(folder, *words, "--level", "error").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to look at"),
        (["--loops", "none.yaml"], "cannot read"),
        (["--loops", "change.yaml"], "change.yaml:3:"),
        (["--loops", "loops.yaml", "--what-if", "second.yaml"], "unknown key 'actuator'"),
        (["--log", "nowhere"], "There is no log"),
    ],
)
def test_what_cannot_be_used_is_exit_2(folder: Path, words: list[str], said: str) -> None:
    result = run(folder, *words)
    assert result.exit_code == 2 and said in result.stderr
    assert result.stdout == "" and "Traceback" not in result.stderr


def test_the_schemas_are_printed(folder: Path) -> None:
    result = run(folder, "--schema", "what-if")
    assert result.exit_code == 0 and json.loads(result.stdout)["$id"] == "flyball.what-if.v1.json"
