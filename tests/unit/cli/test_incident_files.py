"""Is each file of an incident's folder read back, and is what is broken named with its place?"""

from pathlib import Path

import msgspec
import pytest

from flyball.cli import incident_files as files
from flyball.cli.file_shape import CannotUse
from flyball.sim.incidents.folder import Told
from flyball.sim.incidents.scenario import recorded
from flyball.sim.incidents.scenarios import PUBLISHED

SMALL = msgspec.structs.replace(next(one for one in PUBLISHED if one.name == "I10"), hours=4.6)


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    files.write_incident(tmp_path / "one", recorded(SMALL, 2, "tuning"), "csv")
    return tmp_path / "one"


def test_everything_comes_back(folder: Path) -> None:
    made = recorded(SMALL, 2, "tuning")
    assert files.read_truth(folder) == made.truth
    shown = files.read_shown(folder)
    assert shown.signals.names == made.signals.names
    assert [one.at for one in shown.announced] == [one.at for one in made.changes]
    assert {one.name for one in shown.graph.members} == {"autoscaler"}


def test_the_span_is_the_tables(folder: Path) -> None:
    file = folder / "signals.csv"
    table = files.read_signals(file)
    assert files.read_span(file) == (table.times_s[0], table.end_s)
    file.write_text("")
    with pytest.raises(CannotUse):
        files.read_span(file)


def test_findings_are_kept_by_name(folder: Path) -> None:
    told = (Told(at=3.0, kind="fold"),)
    files.keep_findings(folder, "mine", told)
    assert files.read_findings(folder, "mine") == told
    assert files.detectors_of([folder, folder.parent]) == ["mine"]


def test_places_are_folders_or_hold_some(folder: Path, tmp_path: Path) -> None:
    assert files.incident_folders((folder, tmp_path)) == [folder, folder]
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotUse, match="no incident"):
        files.incident_folders((tmp_path / "empty",))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("signals.csv", "time_s,x\n1\n", "line 2"),
        ("truth.yaml", "name: x\n", "form"),
        ("loops.yaml", "version: v1\nlops: {}\n", "lops"),
        ("change-60.yaml", "version: v1\nremove: [nobody]\n", "nobody"),
    ],
)
def test_a_broken_file_is_named(folder: Path, name: str, text: str, told: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(CannotUse, match=told) as error:
        files.read_truth(folder)
        files.read_shown(folder)
    assert name in error.value.message


def test_what_is_not_there_says_how_to_get_it(folder: Path) -> None:
    with pytest.raises(CannotUse, match="incident run"):
        files.read_findings(folder, "nobody")
    (folder / "signals.csv").unlink()
    with pytest.raises(CannotUse, match="incident make"):
        files.read_shown(folder)
