"""Does `flyball sim` run a file, say what is wrong with it, and repeat itself to the byte?"""

import json
from pathlib import Path

from click.testing import CliRunner

from flyball.cli.sim import command
from support.worlds import data


def scenario_file(folder: Path) -> str:
    file = folder / "small.yaml"
    file.write_text(json.dumps(data(duration_s=10)))  # JSON is YAML
    return str(file)


def invoke(*arguments: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(command, list(arguments))
    return found.exit_code, found.stdout, found.stderr


def test_a_run_is_reported_and_repeats_itself(tmp_path: Path) -> None:
    file = scenario_file(tmp_path)
    code, first, _ = invoke(file, "-o", "json", "--seed", "3")
    assert (code, json.loads(first)["seed"]) == (0, 3)
    assert invoke(file, "-o", "json", "--seed", "3")[1] == first
    assert invoke(file, "-o", "json", "--seed", "4")[1] != first


def test_text_names_the_core_that_was_asked_for(tmp_path: Path) -> None:
    code, text, _ = invoke(scenario_file(tmp_path), "--core", "round_robin")
    assert code == 0 and "core round_robin" in text


def test_calls_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "calls.csv"
    invoke(scenario_file(tmp_path), "--out", str(out))
    assert out.read_text().startswith("number,class_index,")


def test_mistakes_are_told_without_a_traceback(tmp_path: Path) -> None:
    code, _, said = invoke(scenario_file(tmp_path), "--core", "magic")
    assert code == 2 and "no core is named 'magic'" in said
    code, _, said = invoke(scenario_file(tmp_path), "--set", "nonsense")
    assert code == 2 and "KEY=VALUE" in said
    assert invoke()[0] == 2
    text = json.dumps(data(workload={"trace": {"file": "none.csv"}}))
    (tmp_path / "trace.yaml").write_text(text)
    code, _, said = invoke(str(tmp_path / "trace.yaml"))
    assert code == 2 and "cannot be read" in said


def test_the_schema_is_json() -> None:
    code, text, _ = invoke("--schema")
    assert code == 0 and json.loads(text)["$defs"]["Scenario"]
