"""Is each finding's page there and usable: next command, suppression; and the guide's files?"""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flyball.cli import COMMANDS, main
from flyball.cli.diagnose_files import load_loops, load_suppressions
from flyball.cli.diagnose_sources import load_map
from flyball.diagnosis.codes.codes import CODES
from flyball.diagnosis.topology.topology import topology

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "reference" / "findings"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_there_is_a_page_for_each_code_and_none_besides() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {*CODES, "README"}
    listed = (PAGES / "README.md").read_text()
    assert all(f"[{code}]({code}.md)" in listed for code in CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_names_a_command_that_there_is(code: str) -> None:
    (step,) = blocks(PAGES / f"{code}.md", "text")
    name = step.split()[1]
    assert name in COMMANDS
    command = main.get_command(click.Context(main), name)
    assert command is not None
    known = {option for one in command.params for option in one.opts}
    assert set(re.findall(r"--[a-z-]+", step)) <= known
    assert "{" not in step


@pytest.mark.parametrize("code", CODES)
def test_a_pages_suppression_is_accepted(code: str, tmp_path: Path) -> None:
    (text,) = blocks(PAGES / f"{code}.md", "yml")
    (tmp_path / "s.yaml").write_text(text)
    assert [one.code for one in load_suppressions(str(tmp_path / "s.yaml"))] == [code]


def test_the_guides_files_do_what_it_says(tmp_path: Path) -> None:
    mapping, loops, change = blocks(DOCS / "guide" / "diagnose.md", "yml")
    for name, text in (("map", mapping), ("loops", loops), ("change", change)):
        (tmp_path / f"{name}.yaml").write_text(text)
    assert set(load_map(str(tmp_path / "map.yaml")).pools) == {"fast", "slow"}
    graph = load_loops(str(tmp_path / "loops.yaml"))
    assert [one.code for one in topology(graph)] == ["FB-109"], "the autoscaler is at its limit"
    words = ["--loops", str(tmp_path / "loops.yaml"), "--what-if", str(tmp_path / "change.yaml")]
    result = CliRunner().invoke(main, ["diagnose", *words])
    assert result.exit_code == 1 and "FB-113" in result.stdout and "gone: FB-109" in result.stdout
