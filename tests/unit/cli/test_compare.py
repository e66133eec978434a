"""Does `flyball compare` pair its runs, and call only sure differences sure?"""

import json
from pathlib import Path

from click.testing import CliRunner
from msgspec.structs import replace

from flyball.cli.compare import Comparison, command, differences, parted
from support.markup import Cells
from support.worlds import data, ran

REPORT = ran(duration_s=5).report


def test_a_side_is_a_file_and_changes() -> None:
    assert parted("a.yaml") == ("a.yaml", ())
    assert parted("a.yaml:core=x,seed=2") == ("a.yaml", ("core=x", "seed=2"))


def test_paired_differences_are_sure_where_they_are_steady() -> None:
    a = [replace(REPORT, machine_usd=usd) for usd in (1.0, 5.0, 9.0)]
    b = [replace(REPORT, machine_usd=usd + 1.0) for usd in (1.0, 5.0, 9.0)]
    found = {one.figure: one for one in differences(a, b)}
    assert found["machines, USD"].is_sure
    assert found["machines, USD"].difference.mean == 1.0
    assert not found["in time"].is_sure
    lone = {one.figure: one for one in differences(a[:1], b[:1])}
    assert not lone["machines, USD"].is_sure


def test_two_cores_are_compared_on_the_same_seeds(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(data(duration_s=5)))
    sides = [f"{file}:core=round_robin", f"{file}:core=least_request"]
    found = CliRunner().invoke(command, [*sides, "--seeds", "2", "-o", "json"])
    assert found.exit_code == 0, found.stderr
    rows = {row["figure"]: row for row in json.loads(found.stdout)}
    assert len(rows["in time"]["difference"]["values"]) == 2
    text = CliRunner().invoke(command, [sides[0], sides[0], "--seeds", "2"]).stdout
    assert "2 paired seeds" in text and "*" not in text.split("\n", 3)[3]


def test_a_notebook_says_which_differences_are_sure() -> None:
    a = [replace(REPORT, machine_usd=usd) for usd in (1.0, 5.0, 9.0)]
    b = [replace(REPORT, machine_usd=usd + 1.0) for usd in (1.0, 5.0, 9.0)]
    made = Comparison(a="x.yaml", b="<y>", seeds=3, differences=tuple(differences(a, b)))
    shown = Cells.read(made._repr_html_())
    assert shown.captions == ["A = x.yaml, B = <y>: 3 paired seeds"]
    rows = {row[0]: row[1:] for row in shown.rows}
    assert rows["machines, USD"] == ["5", "6", "1", "1", "1", "yes"]
    assert rows["in time"][-1] == "no"
