"""Does the score come from what was kept, by half, in both forms, and name what was missed?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.cli.incident_files import keep_findings, read_truth
from flyball.sim.incidents.folder import Told


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("incidents")
    for seed in ("1", "101"):
        asked = ["incident", "make", str(place), "--seed", seed]
        assert CliRunner().invoke(main, [*asked, "--only", "I13", "--only", "I9"]).exit_code == 0
    for seed in (1, 101):
        truth = read_truth(place / f"I13-{seed}")
        good = Told(at=truth.began_s, kind="direct", loops=("package-agent",))
        keep_findings(place / f"I13-{seed}", "good", (good,))
        keep_findings(place / f"I13-{seed}", "loud", (Told(at=20.0),))
        keep_findings(place / f"I9-{seed}", "good", ())
        keep_findings(place / f"I9-{seed}", "loud", (Told(at=20.0), Told(at=90.0)))
    return place


def ask(place: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["incident", "score", str(place), *words])


def test_figures(place: Path) -> None:
    scores = json.loads(ask(place, "-o", "json").output)
    good, loud = scores
    assert (good["detector"], good["forms"]["all"]["found"], good["quick"]) == ("good", 2, 2)
    assert good["loop_right"] == good["kind_right"] == 1.0
    assert good["false_alarms"] == 0
    assert (loud["false_alarms"], loud["forms"]["all"]["found"]) == (6, 0)
    assert loud["bound"] > loud["rate"]


def test_one_half(place: Path) -> None:
    scores = json.loads(ask(place, "--half", "judging", "-o", "json").output)
    assert scores[0]["forms"]["all"]["harmed"] == 1


def test_a_table_for_people(place: Path) -> None:
    done = ask(place, "--misses", "--detector", "loud")
    assert done.exit_code == 0
    assert "0/2" in done.output
    assert "I13 (1), I13 (101)" in done.output


def test_mistakes(place: Path) -> None:
    done = ask(place, "--detector", "nobody")
    assert done.exit_code == 2
    assert "incident run" in done.output
