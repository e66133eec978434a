"""Do own detectors and any program run over a folder, and does neither see the truth?"""

import json
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.cli.incident_files import read_findings
from flyball.sim.incidents.folder import Told

PROGRAM = """\
import json, pathlib, sys
table = pathlib.Path(sys.argv[1])
names = sorted(one.name for one in pathlib.Path.cwd().iterdir())
assert table.name in names and "truth.yaml" not in names, names
rows = table.read_text().splitlines()
print(json.dumps({"at": len(rows), "kind": "rows", "loops": names}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("incidents")
    assert (
        CliRunner().invoke(main, ["incident", "make", str(place), "--only", "I13"]).exit_code == 0
    )
    return place / "I13-101"


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["incident", "run", str(folder), *words])


def program(folder: Path, text: str) -> str:
    file = folder.parent / "mine.py"
    file.write_text(text)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(file))}"


def test_a_program_sees_all_but_the_truth(folder: Path) -> None:
    done = run(folder, "--detector", program(folder, PROGRAM))
    assert done.exit_code == 0, done.output
    (told,) = read_findings(folder, "mine")
    assert told.kind == "rows"
    assert told.loops[1:] == ("loops.yaml", "signals.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("print('hello')", "line 1"),
        ("raise SystemExit('broken')", "broken"),
        ("import time; time.sleep(30)", "longer than 1 s"),
    ],
)
def test_a_program_that_fails_is_told(folder: Path, text: str, told: str) -> None:
    done = run(folder, "--detector", program(folder, text), "--timeout-s", "1")
    assert done.exit_code == 2
    assert told in done.output
    assert "Traceback" not in done.output


def test_flyball_tells_the_change(folder: Path) -> None:
    done = run(folder, "--detector", "flyball", "-o", "json")
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.output.splitlines()]
    assert lines[0]["kind"] == "direct"
    assert read_findings(folder, "flyball")[0] == Told(
        at=lines[0]["at"], kind="direct", loops=("autoscaler", "package-agent")
    )


def test_a_baseline_takes_a_threshold(folder: Path) -> None:
    assert run(folder, "--detector", "latency", "--threshold", "1e9").exit_code == 0
    assert read_findings(folder, "latency") == ()
    assert run(folder, "--detector", "flyball", "--threshold", "1").exit_code == 2


def test_no_such_program(folder: Path) -> None:
    done = run(folder, "--detector", "no-such-program-here")
    assert done.exit_code == 2
    assert "no program" in done.output
