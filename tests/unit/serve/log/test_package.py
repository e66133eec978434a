"""Are the proofs in a package each one's own, and is a file that is no package refused?"""

import zipfile
from pathlib import Path

import pytest

from flyball.ledger.note import ED25519
from flyball.ledger.proof import parse_proof
from flyball.ledger.tree import leaf_hash
from flyball.ledger.trust import trust_of
from flyball.serve.log import package
from flyball.serve.log.package import check_package, checkpoints_of, proofs_of, write_package
from flyball.serve.log.reader import LogReader, open_log
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.writer import LedgerError
from support import records
from support.signers import LOG, ORIGIN, signer

BY = signer("auditor", 9, ED25519)
TRUST = trust_of([LOG.key], [], 0)


@pytest.fixture
def log(tmp_path: Path) -> LogReader:
    store = LedgerStore(tmp_path / "log", origin=ORIGIN, signers=[LOG])
    for number in range(600):
        store.append(records.config(number))
    assert store.close() == 0
    return open_log(tmp_path / "log")


def test_proofs_hold_for_the_entries_asked_for(log: LogReader) -> None:
    found = list(proofs_of(log, [0, 255, 256, 599]))
    assert [name for name, _, _ in found] == [f"{n}.tlog-proof" for n in (0, 255, 256, 599)]
    for _, text, record in found:
        proof = parse_proof(text.decode())
        proof.verify(leaf_hash(proof.extra), TRUST)
        assert record.id.encode() in proof.extra
    assert set(checkpoints_of(log)) == {"checkpoint"}


def test_a_proof_of_another_entry_in_a_signed_package_is_found(
    log: LogReader, tmp_path: Path
) -> None:
    """The packer himself lies: the manifest agrees, the log does not."""
    (name, text, _), (_, other, _) = proofs_of(log, [3, 4])
    lie = parse_proof(text.decode())
    forged = type(lie)(lie.index, lie.hashes, lie.note, parse_proof(other.decode()).extra)
    path = tmp_path / "e.zip"
    write_package(path, {name: forged.text().encode()}, {}, BY)
    found = check_package(path, [BY.key], TRUST)
    assert found.signed_by == "auditor" and len(found.problems) == 1
    assert "leads to another root" in found.problems[0]
    write_package(path, {name: text}, {}, BY)
    assert check_package(path, [BY.key], TRUST).problems == ()


def test_what_is_no_package_is_refused(
    log: LogReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(LedgerError, match="no package of evidence"):
        check_package(path, [BY.key], TRUST)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("manifest.json", "{}")
    with pytest.raises(LedgerError, match=r"manifest\.note"):
        check_package(path, [BY.key], TRUST)
    write_package(path, {"a": b"x" * 5000}, {}, BY)
    monkeypatch.setattr(package, "FILE_BYTES_MAX", 4096)
    with pytest.raises(LedgerError, match="more than 4096 bytes"):
        check_package(path, [BY.key], TRUST)
