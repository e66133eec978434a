"""Is a package of evidence whole, readable and signed, and is any change to it found?"""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.ledger.note import ED25519
from flyball.model.decision import Warrant
from flyball.serve.log.store import LedgerStore
from support import records
from support.records import CHAIN, HUMAN, T0
from support.signers import LOG, ORIGIN, signer

AUDITOR = signer("gw.example/evidence", 77, ED25519)
KEYS = ["--key", AUDITOR.key.text(), "--log-key", LOG.key.text()]


def write(folder: Path) -> None:
    store = LedgerStore(folder, origin=ORIGIN, signers=[LOG])
    for act in records.acts()[:-1]:
        store.append(act)
    for number in range(20):
        warrant = Warrant(chain=CHAIN, human=HUMAN, actor="agent:search", policies=("p1",))
        who = "bob" if number % 4 else "alice"
        it = records.intent(number, principal=who, warrant=warrant)
        store.append(it)
        store.append(records.outcome(it, principal=""))
    assert store.close() == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    write(folder / "log")
    (folder / "key").write_text(AUDITOR.private_text())
    (folder / "site.bundle").write_text("a bundle")
    return folder


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, words)], catch_exceptions=False)


def make(folder: Path, out: Path, *words: str | Path) -> Result:
    return run("--log", folder / "log", "--key", folder / "key", "--out", out, *words)


def test_all_of_it(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.zip"
    result = make(made, out, "--bundle", made / "site.bundle")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == AUDITOR.key.text()
    checked = run("check", out, *KEYS)
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.splitlines()[-1] == "sound" and "records   47" in checked.stdout
    with zipfile.ZipFile(out) as package:
        names = set(package.namelist())
        page = package.read("report.html").decode()
        assert package.read("report.pdf").startswith(b"%PDF-")
        assert package.read("bundles/site.bundle") == b"a bundle"
    assert {"README.txt", "manifest.json", "manifest.note", "logs/0/checkpoint"} <= names
    assert "AI Act 12(1)" in page and "not recorded" in page and HUMAN in page


def test_by_time_and_by_subject(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.zip"
    told = {}
    for subject in ("alice", "nobody", "agent:search"):
        result = make(made, out, "--subject", subject, "--no-pdf")
        told[subject] = result.exit_code
        if not result.exit_code:
            report = json.loads(run("check", out, *KEYS, "-o", "json").stdout)
            told[subject] = report["records"]
    assert told == {"alice": 11, "nobody": 1, "agent:search": 41}
    assert make(made, out, "--from", "2025-11-20T00:53:30", "--to", "2025-11-20T00:53:32",
                "--no-pdf").exit_code == 0  # fmt: skip
    report = json.loads(run("check", out, *KEYS, "-o", "json").stdout)
    assert report["records"] == 4 and report["manifest"]["to"] == "2025-11-20T00:53:32"
    assert T0 == 1_763_600_000.0
    assert make(made, out, "--from", "2030-01-01").exit_code == 1


def changed(out: Path, name: str, data: bytes | None, more: str = "") -> None:
    """The same package with one file changed, gone, or one more."""
    with zipfile.ZipFile(out) as package:
        files = {one: package.read(one) for one in package.namelist()}
    if data is None:
        del files[name]
    else:
        files[name] = data
    with zipfile.ZipFile(out, "w") as package:
        for one, raw in files.items():
            package.writestr(one, raw)
        if more:
            package.writestr(more, b"x")


def test_any_change_is_found(made: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "w.zip", tmp_path / "e.zip"
    make(made, whole)
    with zipfile.ZipFile(whole) as package:
        names = {name: package.read(name) for name in package.namelist()}
    for name, data in names.items():
        shutil.copy(whole, out)
        changed(out, name, data[:-2] + b"\n\n")
        assert run("check", out, *KEYS).exit_code in (1, 2), name
        changed(out, name, None)
        assert run("check", out, *KEYS).exit_code in (1, 2), name
    shutil.copy(whole, out)
    changed(out, "README.txt", names["README.txt"], more="more.txt")
    assert "more.txt is not listed" in run("check", out, *KEYS).stdout
    out.write_bytes(whole.read_bytes()[:-100])
    assert run("check", out, *KEYS).exit_code == 2


def test_a_stranger_s_signature_or_log_is_told(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.zip"
    make(made, out, "--no-pdf")
    other = signer("x", 5, ED25519).key.text()
    result = run("check", out, "--key", other, "--log-key", LOG.key.text())
    assert result.exit_code == 1 and "signature: no trusted key" in result.stdout
    result = run("check", out, "--key", AUDITOR.key.text(), "--log-key", other)
    assert result.exit_code == 1 and "47 problems" in result.stdout


def test_mistakes(made: Path, tmp_path: Path) -> None:
    assert run().exit_code == 2 and "give --key" in run().stderr
    assert "is no time" in make(made, tmp_path / "e", "--from", "soon").stderr
    assert make(tmp_path, tmp_path / "e").exit_code == 2
    assert run("check", made / "key", *KEYS).exit_code == 2
    assert run("check", made / "key", "--key", AUDITOR.key.text()).exit_code == 2
