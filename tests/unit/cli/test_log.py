"""Do records leave as events and statements, and sealed texts come back only as committed to?"""

import json
from pathlib import Path

import cbor2
import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.serve.log.store import LedgerStore
from support import records
from support.signers import LOG, ORIGIN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = LedgerStore(tmp_path / "log", origin=ORIGIN, signers=[LOG])
    for number in range(3):
        store.append(records.intent(number))
        store.append(records.outcome(records.intent(number)))
    assert store.close() == 0
    (tmp_path / "key").write_text(LOG.private_text())
    return tmp_path


def run(folder: Path, word: str, *words: str, text: bytes = b"") -> Result:
    base = ["log", word, "--log", str(folder / "log")]
    return CliRunner().invoke(main, [*base, *words], input=text, catch_exceptions=False)


def test_cloudevents(folder: Path) -> None:
    result = run(folder, "export")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["id"] for line in lines] == list("012345") and result.exit_code == 0
    one = run(folder, "export", "--id", records.intent(1).id, "--from-index", "3")
    assert [json.loads(line)["type"] for line in one.stdout.splitlines()] == [
        "io.flyball.record.outcome"
    ]
    assert run(folder, "export", "--from-index", "6").exit_code == 1


def test_scitt(folder: Path) -> None:
    out = str(folder / "out")
    words = ("--format", "scitt", "--key", str(folder / "key"), "--out", out)
    assert run(folder, "export", *words).exit_code == 0
    files = sorted((folder / "out").iterdir())
    assert len(files) == 6 and cbor2.loads(files[0].read_bytes()).tag == 18
    assert run(folder, "export", "--format", "scitt").exit_code == 2
    (folder / "key").write_text("nonsense")
    result = run(folder, "export", *words)
    assert result.exit_code == 2 and "PRIVATE+KEY" in result.stderr


def test_seal_and_open(folder: Path) -> None:
    name = records.intent(1).id
    CliRunner().invoke(main, ["erase", "--new-master", str(folder / "m")])
    words = (name, "--subject", "mari", "--vault", str(folder / "v"), "--master", str(folder / "m"))
    sealed = run(folder, "seal", *words, "--key", str(folder / "key"), text=b"hello")
    assert sealed.exit_code == 0 and len(sealed.stdout.split()[1]) == 64
    assert run(folder, "open", *words).stdout == "hello"
    assert run(folder, "open", *words, "--part", "answer").exit_code == 1
    other = [*words[:2], "olav", *words[3:]]
    result = run(folder, "open", *other)
    assert result.exit_code == 2 and "no key of that subject" in result.stderr
    (path,) = (folder / "v" / "sealed").rglob("*.prompt")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert "not what was sealed" in run(folder, "open", *words).stderr
