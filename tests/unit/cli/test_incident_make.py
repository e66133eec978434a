"""Are folders made as asked, the same each time, and is an unknown scenario refused?"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.cli import main
from flyball.cli.incident_files import read_shown, read_truth


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_has_what_it_should(tmp_path: Path, form: str) -> None:
    asked = ["incident", "make", str(tmp_path), "--only", "I13", "--form", form]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0
    folder = tmp_path / "I13-101"
    assert done.output.strip() == str(folder)
    truth, shown = read_truth(folder), read_shown(folder)
    assert truth.half == "judging"
    assert truth.harm_s is not None
    assert shown.announced[0].at == truth.began_s
    assert shown.signals.end_s > truth.harm_s


def test_seeds_below_a_hundred_tune(tmp_path: Path) -> None:
    asked = ["incident", "make", str(tmp_path), "--only", "I5", "--seed", "7", "--copies", "2"]
    assert CliRunner().invoke(main, asked).exit_code == 0
    assert [read_truth(tmp_path / f"I5-{seed}").half for seed in (7, 8)] == ["tuning"] * 2


def test_an_unknown_scenario_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["incident", "make", str(tmp_path), "--only", "Z1"])
    assert done.exit_code == 2
    assert "incident list" in done.output
