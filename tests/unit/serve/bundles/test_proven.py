"""Is a bundle that must be in a log taken only with a proof of it that holds?"""

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from flyball.authority.bundles.archive import BundleError
from flyball.authority.bundles.bundle import Bundle, decode
from flyball.authority.bundles.vet import Demands, vet
from flyball.ledger.note import ED25519
from flyball.ledger.proof import parse_proof
from flyball.serve.bundles.proven import checker, log_it
from flyball.serve.log.writer import LedgerError
from support.bundles import ALICE, BOB, CAROL, NOW, SIGNERS, bundle
from support.signers import LOG, WITNESSES, signed, signer

TRUST = f"log {LOG.key.text()}\nquorum none\n"


def key_file(folder: Path, name: str = LOG.key.name, seed: int = 1) -> Path:
    file = folder / f"{seed}.key"
    file.write_text(signer(name, seed, ED25519).private_text())
    return file


def logged(made: Bundle, folder: Path) -> Bundle:
    return replace(made, proof=log_it(made, folder / "log", key_file(folder)))


def refused(made: Bundle, trust: str = TRUST) -> str:
    with pytest.raises(BundleError) as caught:
        checker(trust)(made)
    return caught.value.code


def test_each_of_many_is_proven(tmp_path: Path) -> None:
    for version in range(1, 8):
        made = logged(bundle(version=version), tmp_path)
        checker(TRUST)(decode(made.encode()))
        assert parse_proof(made.proof.decode()).index == version - 1


def test_no_proof_or_one_of_another_is_refused(tmp_path: Path) -> None:
    one, two = logged(bundle(), tmp_path), logged(bundle(version=2), tmp_path)
    assert refused(bundle()) == "no_proof"
    assert refused(replace(one, proof=two.proof)) == "proof"
    assert refused(replace(one, proof=b"nonsense")) == "proof"
    assert refused(replace(one, proof=b"\xff")) == "proof"
    assert refused(replace(one, proof=one.proof + b"\n")) == "proof"


def test_a_log_that_is_not_believed_is_none(tmp_path: Path) -> None:
    stranger = signer(LOG.key.name, 9, ED25519)
    made = replace(bundle(), proof=log_it(bundle(), tmp_path / "log", key_file(tmp_path, seed=9)))
    assert refused(made) == "proof"
    checker(f"log {stranger.key.text()}\nquorum none\n")(made)


def test_witnesses_must_have_seen_it_where_asked_for(tmp_path: Path) -> None:
    made = logged(bundle(), tmp_path)
    names = [f"witness w{number} {one.key.text()}" for number, one in enumerate(WITNESSES[:3])]
    trust = "\n".join([f"log {LOG.key.text()}", *names, "group q 2 w0 w1 w2", "quorum q", ""])
    assert refused(made, trust) == "proof"
    proof = parse_proof(made.proof.decode())
    head = proof.note.split("\n")
    from base64 import b64decode

    note = signed(int(head[1]), b64decode(head[2]), WITNESSES[0], WITNESSES[2])
    checker(trust)(replace(made, proof=replace(proof, note=note).text().encode()))
    one = signed(int(head[1]), b64decode(head[2]), WITNESSES[0])
    assert refused(replace(made, proof=replace(proof, note=one).text().encode()), trust) == "proof"


def test_a_cosigned_checkpoint_is_taken_where_it_has_the_entry(tmp_path: Path) -> None:
    from base64 import b64decode

    logged(bundle(), tmp_path)
    head = (tmp_path / "log" / "checkpoint").read_text().split("\n")
    cosigned = signed(int(head[1]), b64decode(head[2]), WITNESSES[0])
    (tmp_path / "log" / "checkpoint.cosigned").write_text(cosigned)
    later = logged(bundle(version=2), tmp_path)  # not under the cosigned one yet
    assert WITNESSES[0].key.name not in later.proof.decode()
    checker(TRUST)(later)


def test_every_byte_of_a_logged_bundle_that_is_turned_is_found(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    demands = Demands(signers=SIGNERS, least=3, check_proof=checker(TRUST))
    whole = logged(bundle(signers=(ALICE, BOB, CAROL)), tmp_path).encode()
    vet(decode(whole), demands, NOW)
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << draw.randrange(8)
        with pytest.raises(BundleError):
            vet(decode(bytes(data)), demands, NOW)


def test_a_log_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        log_it(bundle(), tmp_path / "log", tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises((LedgerError, OSError)):
        log_it(bundle(), tmp_path / "file", key_file(tmp_path))
