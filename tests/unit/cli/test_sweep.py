"""Does a sweep run every combination once, and go on where it stopped?"""

import csv
import io
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flyball.cli.sweep import combinations, command, key
from support.worlds import data


def sweep(folder: Path, *more: str) -> tuple[int, list[dict[str, str]], str]:
    file = folder / "small.yaml"
    if not file.exists():
        file.write_text(json.dumps(data(duration_s=5)))
    said = [str(file), "--vary", "core=round_robin,least_request", "--seeds", "2", *more]
    found = CliRunner().invoke(command, [*said, "--out", str(folder / "out")])
    return found.exit_code, list(csv.DictReader(io.StringIO(found.stdout))), found.stderr


def test_every_combination_runs_once_and_is_kept(tmp_path: Path) -> None:
    code, rows, said = sweep(tmp_path)
    assert code == 0 and "4 runs, 0 of them kept" in said
    assert [(row["core"], row["seed"]) for row in rows] == [
        ("round_robin", "7"),
        ("round_robin", "8"),
        ("least_request", "7"),
        ("least_request", "8"),
    ]
    kept = sorted((tmp_path / "out").glob("*.json"))
    kept[0].unlink()
    _, again, said = sweep(tmp_path)
    assert "4 runs, 3 of them kept" in said
    assert again == rows


def test_combinations_are_the_whole_product() -> None:
    found = combinations(["a=1,2", "b=x"], 5, 2)
    assert found == [("a=1", "b=x", "seed=5"), ("a=1", "b=x", "seed=6"),
                     ("a=2", "b=x", "seed=5"), ("a=2", "b=x", "seed=6")]  # fmt: skip
    with pytest.raises(click.UsageError, match="KEY=A,B,C"):
        combinations(["a"], 1, 1)


def test_another_scenario_is_another_run() -> None:
    assert key(b"a", ("seed=1",)) != key(b"b", ("seed=1",))
    assert key(b"a", ("seed=1",)) != key(b"a", ("seed=2",))


def test_a_wrong_value_is_told_before_anything_runs(tmp_path: Path) -> None:
    code, _, said = sweep(tmp_path, "--vary", "workload.load=1,none")
    assert code == 2 and "workload.load" in said
    assert not (tmp_path / "out").exists()
