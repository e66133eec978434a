"""Does `flyball explain` print the decision, and name what is missing without a traceback?"""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.serve.log.store import LedgerStore
from support import records


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "log"
    store = LedgerStore(folder)
    store.append(records.feasibility())
    for number in range(300):
        it = records.intent(number)
        store.append(it)
        store.append(records.outcome(it))
    store.append(records.refusal(300))
    store.append(records.intent(301))
    assert store.close() == 0
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments], catch_exceptions=False)


def test_one_decision(folder: Path) -> None:
    result = run(records.intent(7).id, "--log", str(folder))
    assert result.exit_code == 0
    assert "> paris-1" in result.stdout
    assert "ohio-1    jurisdiction: US is not in EU" in result.stdout
    assert "It was served by paris-1" in result.stdout
    assert "Entry 15 is in the log flyball.local/log of 603 entries: verified" in result.stdout
    assert result.stderr == ""


def test_last_and_last_refused(folder: Path) -> None:
    assert records.intent(301).id in run("--last", "--log", str(folder)).stdout
    text = run("--last-refused", "--log", str(folder)).stdout
    assert records.refusal(300).id in text
    assert "Code price_above_value" in text


def test_a_request_turned_away_is_explained_whichever_of_the_many_it_was(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "log")
    turned = records.turned_away(count=40)
    store.append(turned)
    assert store.close() == 0
    for request_id in (turned.id, turned.ids[-1]):
        text = run(request_id, "--log", str(tmp_path / "log")).stdout
        assert f"Why it was not looked at ({request_id})" in text
        assert "one of 40 requests that were turned away before any decision" in text
        assert "within 250 ms, HTTP 400, from 192.0.2.0/24" in text
        assert "Code bad_json: The body is not valid JSON: it is cut off." in text
        assert "Send a JSON object as the body." in text and "first 32 are on record" in text
        assert "verified" in text
    assert turned.id in run("--last-refused", "--log", str(tmp_path / "log")).stdout


def test_json(folder: Path) -> None:
    it = records.intent(7)
    found = json.loads(run(it.id, "--log", str(folder), "-o", "json").stdout)
    assert found["id"] == it.id
    assert [record["kind"] for record in found["records"]] == ["intent", "outcome"]
    assert found["feasibility"]["id"] == "scope-1.3"
    assert [proof["index"] for proof in found["inclusions"]] == [15, 16]
    assert found["inclusions"][0]["size"] == 603
    assert any("least price" in line for part in found["explanation"] for line in part["lines"])


def test_an_unknown_id_is_an_error_with_the_nearest(folder: Path) -> None:
    it = records.intent(7)
    result = run(it.id[:-1] + "9", "--log", str(folder))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "is not among the 603 entries" in result.stderr
    assert it.id in result.stderr


def test_no_log_is_exit_2_with_the_next_step(tmp_path: Path) -> None:
    result = run("--last", "--log", str(tmp_path / "none"))
    assert result.exit_code == 2
    assert "There is no log in" in result.stderr
    assert "--log" in result.stderr


def test_an_empty_log_holds_no_decision(tmp_path: Path) -> None:
    LedgerStore(tmp_path).close()
    for flag in ("--last", "--last-refused"):
        result = run(flag, "--log", str(tmp_path))
        assert result.exit_code == 1
        assert "holds no such decision yet" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--last", "--last-refused"], ["req_1", "--last"]])
def test_exactly_one_thing_is_asked_for(arguments: list[str], folder: Path) -> None:
    result = run(*arguments, "--log", str(folder))
    assert result.exit_code == 2
    assert "Give one of" in result.stderr


def test_a_log_that_cannot_be_read_is_exit_2(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "log"
    shutil.copytree(folder, copy)
    segment = next((copy / "wal").iterdir())
    segment.unlink()
    segment.mkdir()
    result = run("--last", "--log", str(copy))
    assert result.exit_code == 2
    assert "cannot be read: Is a directory" in result.stderr


def test_a_changed_log_is_said_to_be_changed(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    for number in range(300):
        store.append(records.intent(number))
    store.close()
    tile = tmp_path / "tile/0/000"
    raw = bytearray(tile.read_bytes())
    raw[9 * 32] ^= 1
    tile.write_bytes(bytes(raw))
    result = run(records.intent(8).id, "--log", str(tmp_path))
    assert result.exit_code == 1
    assert "is not what its checkpoint claims" in result.stderr
