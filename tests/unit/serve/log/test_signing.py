"""Are the log's keys and its witnesses read, and is each mistake named with the next step?"""

from pathlib import Path

import pytest

from flyball.serve.log.signing import Signing, load_signing
from flyball.serve.log.writer import LedgerError
from support.signers import LOG, ORIGIN, WITNESSES, signer


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "log.key").write_text(LOG.private_text() + "\n")
    (tmp_path / "new.key").write_text(signer(ORIGIN, 9, LOG.key.kind).private_text())
    (tmp_path / "other.key").write_text(signer("other", 8, LOG.key.kind).private_text())
    (tmp_path / "witness.key").write_text(WITNESSES[0].private_text())
    (tmp_path / "trust").write_text(
        f"log {LOG.key.text()}\nwitness w {WITNESSES[0].key.text()} http://w\nquorum w\n"
    )
    return tmp_path


def test_nothing_is_unsigned() -> None:
    assert load_signing((), None) == Signing() == Signing("flyball.local/log", (), None)


def test_keys_and_trust(files: Path) -> None:
    keys = [str(files / "log.key"), str(files / "new.key")]
    found = load_signing(keys, None)
    assert found.origin == ORIGIN and found.trust is None
    assert found.signers[0].key == LOG.key and len(found.signers) == 2
    trust = load_signing(keys, str(files / "trust")).trust
    assert trust is not None and trust.witnesses[0].url == "http://w"


@pytest.mark.parametrize(
    ("keys", "trust", "cause"),
    [
        (["absent"], None, "absent cannot be read: No such file"),
        (["trust"], None, "is no signing key for a log: a signing key begins with"),
        (["witness.key"], None, "it is a witness's key"),
        (["log.key", "other.key"], None, "have one name"),
        (["log.key"], "log.key", "is no trust policy"),
        (["log.key"], "absent", "absent cannot be read"),
        (["new.key"], "trust", "does not list a key that this log signs with"),
        ([], "trust", "does not list a key that this log signs with"),
    ],
)
def test_mistakes(files: Path, keys: list[str], trust: str | None, cause: str) -> None:
    with pytest.raises(LedgerError, match=cause):
        load_signing([str(files / name) for name in keys], trust and str(files / trust))


def test_a_file_of_bytes_is_named(files: Path) -> None:
    (files / "raw").write_bytes(b"\xff\xfe")
    with pytest.raises(LedgerError, match="not UTF-8"):
        load_signing([str(files / "raw")], None)
