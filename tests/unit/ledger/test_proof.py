"""Is a record proven from tiles alone, small even at 10^9 entries, and no other record with it?"""

import random
from base64 import b64encode

import pytest

from flyball.ledger.note import NoteError
from flyball.ledger.proof import HEADER, LoggedProof, growth, parse_proof, prove
from flyball.ledger.tiles import TileError
from flyball.ledger.tree import ProofError, range_root, verify_consistency
from flyball.ledger.trust import trust_of
from support.signers import LOG, WITNESS_KEYS, WITNESSES, signed
from support.synthetic import SyntheticTree

TRUST = trust_of([LOG.key], WITNESS_KEYS[:3], 2)
BILLION = 10**9
BYTES_MAX = 2_500


def places(size: int) -> list[int]:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    drawn = random.Random(seed).sample(range(size), 12)
    return [0, 1, 255, 256, 65_535, 65_536, size // 2, size - 2, size - 1, *drawn]


@pytest.mark.parametrize("size", [BILLION, BILLION - 1, 2**30, 2**30 + 1])
def test_a_proof_in_a_thousand_million_is_small_and_holds(size: int) -> None:
    tree = SyntheticTree(size, places(size))
    note = signed(size, tree.root, *WITNESSES[:3])
    for index in places(size):
        tree.reads = 0
        found = prove(index, note, tree.read)
        assert tree.reads <= 16
        assert len(found.text().encode()) <= BYTES_MAX
        judged = parse_proof(found.text()).verify(tree.leaf(index), TRUST)
        assert judged.checkpoint.size == size
        with pytest.raises(ProofError, match="another root"):
            found.verify(bytes(32), TRUST)


def test_a_proof_serves_its_own_index_only() -> None:
    tree = SyntheticTree(BILLION, [BILLION // 3])
    found = prove(BILLION // 3, signed(BILLION, tree.root, *WITNESSES[:2]), tree.read)
    moved = LoggedProof(found.index + 1, found.hashes, found.note)
    with pytest.raises(ProofError):
        moved.verify(tree.leaf(BILLION // 3), TRUST)


def test_growth_to_a_thousand_million() -> None:
    drawn = places(BILLION)
    tree = SyntheticTree(BILLION, drawn)
    for old in [place for place in drawn if place]:
        root = range_root(0, old, tree.subtree)
        proof = growth(old, BILLION, tree.read)
        assert len(proof) <= 63
        verify_consistency(old, BILLION, proof, root, tree.root)
        with pytest.raises(ProofError):
            verify_consistency(old, BILLION, proof, bytes(32), tree.root)


def test_the_quorum_is_part_of_the_proof() -> None:
    tree = SyntheticTree(1000, [7])
    lonely = prove(7, signed(1000, tree.root, WITNESSES[0]), tree.read)
    with pytest.raises(NoteError, match="quorum is not met: 2 of 3"):
        lonely.verify(tree.leaf(7), TRUST)
    assert lonely.verify(tree.leaf(7), trust_of([LOG.key], [], 0)).checkpoint.size == 1000


def test_a_tile_that_is_not_there_is_named() -> None:
    with pytest.raises(TileError, match=r"tile/1/000.p/3 is absent"):
        prove(7, signed(1000, bytes(32)), lambda path: None)


def test_the_text_comes_back() -> None:
    tree = SyntheticTree(70_000, [5])
    found = prove(5, signed(70_000, tree.root, WITNESSES[0]), tree.read)
    extra = LoggedProof(found.index, found.hashes, found.note, extra=b"\x00age")
    for one in (found, extra, LoggedProof(0, (), signed(1, bytes(32)))):
        assert parse_proof(one.text()) == one
    lines = extra.text().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra AGFnZQ==", "index 5"]


HASH = b64encode(bytes(32)).decode()
NOTE = signed(1, bytes(32))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "begins with"),
        (f"c2sp.org/tlog-proof@v2\nindex 0\n\n{NOTE}", "begins with"),
        (f"{HEADER}\nindex 0\n", "begins with"),
        (f"{HEADER}\n\n{NOTE}", "no index"),
        (f"{HEADER}\nindex 00\n\n{NOTE}", "not a decimal"),
        (f"{HEADER}\nindex -1\n\n{NOTE}", "not a decimal"),
        (f"{HEADER}\nextra !!\nindex 0\n\n{NOTE}", "not base64"),
        (f"{HEADER}\nindex 0\nAAAA\n\n{NOTE}", "32 bytes"),
        (f"{HEADER}\nindex 0\n{HASH[:-2]}B=\n\n{NOTE}", "canonical"),
        (f"{HEADER}\nindex 0\n" + f"{HASH}\n" * 64 + f"\n{NOTE}", "at most 63"),
    ],
)
def test_what_is_no_proof_is_named(text: str, cause: str) -> None:
    with pytest.raises(ProofError, match=cause):
        parse_proof(text)
