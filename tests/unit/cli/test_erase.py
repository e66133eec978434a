"""Are a subject's keys destroyed by one command, on record, and is a mistake told?"""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.model.acts import Erasure
from flyball.serve.log.reader import open_log
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.vault import Vault, read_master
from flyball.serve.log.writer import LedgerError
from support.records import T0


def run(folder: Path, *words: str) -> Result:
    base = ["erase", "--vault", str(folder / "vault"), "--log", str(folder / "log")]
    return CliRunner().invoke(main, [*base, *words], catch_exceptions=False)


def test_erase_and_record(tmp_path: Path) -> None:
    master = tmp_path / "master"
    assert run(tmp_path, "--new-master", str(master)).exit_code == 0
    assert run(tmp_path, "--new-master", str(master)).exit_code == 2
    assert master.stat().st_mode & 0o077 == 0
    vault = Vault(tmp_path / "vault", read_master(master))
    vault.seal("mari", T0, "req_1", "answer", b"x")
    words = ("--subject", "mari", "--master", str(master), "--reason", "GDPR 17")
    result = run(tmp_path, *words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"destroyed the keys of 2025-11 ({vault.tag('mari')})\n"
    (found,) = [one.record for one in open_log(tmp_path / "log").records()]
    assert isinstance(found, Erasure) and found.reason == "GDPR 17"
    assert (found.subject, found.months) == (vault.tag("mari"), ("2025-11",))
    with pytest.raises(LedgerError):
        vault.open("mari", T0, "req_1", "answer")
    assert run(tmp_path, "--subject", "olav", "--master", str(master)).exit_code == 1


def test_mistakes(tmp_path: Path) -> None:
    assert "Give --subject" in run(tmp_path).stderr
    result = run(tmp_path, "--subject", "a", "--master", str(tmp_path / "none"))
    assert result.exit_code == 2 and "--new-master" in result.stderr
    (tmp_path / "m").write_text("00" * 32)
    store = LedgerStore(tmp_path / "log")
    result = run(tmp_path, "--subject", "a", "--master", str(tmp_path / "m"))
    assert result.exit_code == 2 and "is being written by process" in result.stderr
    store.close()
