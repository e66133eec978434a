"""Does `flyball capacity` find each core's edge and pair the cores by seed?"""

import json
from pathlib import Path

from click.testing import CliRunner

from flyball.cli.capacity import command, edge, shown, summary
from support.markup import Cells
from support.worlds import data


def test_the_edge_separates_good_from_bad_service(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(data(duration_s=15)))
    found = CliRunner().invoke(
        command,
        [str(file), "--core", "least_request", "--seeds", "1", "--tolerance", "0.3", "-o", "json"],
    )
    assert found.exit_code == 0, found.stderr
    load = json.loads(found.stdout)["load"]["least_request"]["mean"]
    assert 0.5 < load < 16
    assert "core least_request, seed 7" in found.stderr
    assert edge(str(file), (), "least_request", 7, 0.95, 0.3) == load


def test_gains_are_paired_by_seed() -> None:
    found = {("a", 1): 1.2, ("a", 2): 2.4, ("b", 1): 1.0, ("b", 2): 2.0}
    result = summary("s", ("a", "b"), (1, 2), 0.95, found)
    assert result.gain["a"].mean == 1.2
    assert result.gain["a"].high - result.gain["a"].low < 1e-9
    assert result.load["b"].mean == 1.5
    said = shown(result)
    assert "a against b: +20.0% [+20.0%, +20.0%]" in said
    page = Cells.read(result._repr_html_())
    assert page.captions[1] == "Load over that of b"
    assert page.rows[1][:2] == ["a", "1.800"] and page.rows[1][4] == "1.200, 2.400"
    assert page.rows[4] == ["a", "1.200", "1.200", "1.200"]


def test_no_gain_is_told_against_nothing() -> None:
    result = summary("s", ("a", "b"), (1,), 0.95, {("a", 1): 1.0, ("b", 1): 0.0})
    assert result.gain == {}
    assert len(Cells.read(result._repr_html_()).captions) == 1
