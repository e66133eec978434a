"""Does `flyball conformance` print the failed cases and the count, with the right exit code?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.cli.conformance import SUITES


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["conformance", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "input").mkdir(parents=True)
    (tmp_path / "deep" / "output").mkdir()
    (tmp_path / "deep" / "input" / "a.json").write_text('{ "a" : 1.0 }')
    (tmp_path / "deep" / "output" / "a.json").write_text('{"a":1}')
    return tmp_path


def test_all_passed(folder: Path) -> None:
    result = run("jcs", folder)
    assert (result.exit_code, result.stdout) == (0, "1 passed, 0 failed\n")


def test_one_failed(folder: Path) -> None:
    (folder / "deep" / "input" / "b.json").write_text("[1.50]")
    (folder / "deep" / "output" / "b.json").write_text("[1.50]")
    result = run("jcs", folder)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "FAILED deep/input/b.json -> deep/output/b.json: it becomes b'[1.5]'",
        "1 passed, 1 failed",
    ]
    told = json.loads(run("jcs", folder, "-o", "json").stdout)
    assert (told["passed"], told["failed"]) == (1, 1)
    assert told["cases"][0]["name"] == "deep/input/b.json -> deep/output/b.json"


@pytest.mark.parametrize("suite", SUITES)
def test_a_folder_without_cases_is_no_success(suite: str, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("hello\n")
    result = run(suite, tmp_path)
    assert result.exit_code == 2
    assert f"holds no case of {suite}" in result.stderr


@pytest.mark.parametrize(
    ("suite", "document"),
    [
        ("wycheproof-ed25519", {"testGroups": [{"publicKey": {"curve": "edwards25519"}}]}),
        ("wycheproof-ed25519", {"testGroups": [1]}),
        ("ed25519-edges", [{"pub_key": 1, "signature": "", "message": ""}]),
        ("rfc6962", {"size1": "x", "size2": 1, "root1": "", "root2": "", "proof": []}),
        ("signed-note", [{"note": 7, "vkeys": []}]),
    ],
)
def test_a_file_of_another_layout_is_a_failure_without_a_traceback(
    tmp_path: Path, suite: str, document: object
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document))
    result = run(suite, tmp_path)
    assert result.exit_code == 1
    assert "FAILED a.json: not in the suite's layout" in result.stdout


def test_no_folder_and_no_suite() -> None:
    assert run("jcs", "/nowhere").exit_code == 2
    result = run("nonsense", "/nowhere")
    assert result.exit_code == 2 and "is not one of" in result.stderr
