"""Do proofs hold for every size up to 300, and for no other leaf, root or size?"""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.ledger.tiles import OpenTiles, pack, stored_subtree, unpack
from flyball.ledger.tree import (
    EMPTY_ROOT,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    perfect_root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SIZE_MAX = 300
LEAVES = [leaf_hash(b"%d" % i) for i in range(SIZE_MAX)]


@cache
def subtree(height: int, index: int) -> bytes:
    return perfect_root(LEAVES[index << height : (index + 1) << height])


@cache
def mth(begin: int, end: int) -> bytes:
    """MTH written straight from RFC 6962 2.1, as the thing to agree with."""
    if begin == end:
        return EMPTY_ROOT
    if end - begin == 1:
        return LEAVES[begin]
    split = 1
    while split * 2 < end - begin:
        split *= 2
    return node_hash(mth(begin, begin + split), mth(begin + split, end))


def test_roots_of_all_sizes() -> None:
    edge = OpenTiles()
    for size in range(SIZE_MAX):
        assert root_of(LEAVES[:size]) == mth(0, size) == edge.root()
        edge.append(LEAVES[size])


@pytest.mark.parametrize("size", range(1, SIZE_MAX + 1))
def test_every_entry_of_every_size_is_proven(size: int) -> None:
    root = mth(0, size)
    for index in range(size):
        proof = inclusion_proof(index, size, subtree)
        assert len(proof) <= (size - 1).bit_length()
        verify_inclusion(index, size, LEAVES[index], proof, root)


@pytest.mark.parametrize("size", range(1, SIZE_MAX + 1))
def test_every_growth_to_every_size_is_proven(size: int) -> None:
    assert consistency_proof(0, size, subtree) == []
    for old in range(1, size + 1):
        proof = consistency_proof(old, size, subtree)
        verify_consistency(old, size, proof, mth(0, old), mth(0, size))


sizes = st.integers(2, SIZE_MAX)


@given(st.data(), sizes)
@settings(max_examples=300, deadline=None)
def test_no_proof_serves_another_leaf(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    proof = inclusion_proof(index, size, subtree)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, LEAVES[other], proof, mth(0, size))


@given(st.data(), sizes)
@settings(max_examples=300, deadline=None)
def test_no_proof_with_a_flipped_bit_holds(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size - 1))
    proof = consistency_proof(old, size, subtree)
    place = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    raw = bytearray(proof[place])
    raw[bit // 8] ^= 1 << bit % 8
    proof[place] = bytes(raw)
    with pytest.raises(ProofError):
        verify_consistency(old, size, proof, mth(0, old), mth(0, size))


@given(st.lists(st.binary(max_size=300), max_size=40))
def test_bundles_come_back(entries: list[bytes]) -> None:
    assert unpack(pack(entries)) == entries


@given(st.integers(1, 1200), st.data())
@settings(max_examples=60, deadline=None)
def test_proofs_from_stored_tiles(size: int, data: st.DataObject) -> None:
    files: dict[str, bytes] = {}
    edge = OpenTiles()
    leaves = [leaf_hash(b"%d" % i) for i in range(size)]
    for leaf in leaves:
        files.update(edge.append(leaf))
    files.update(edge.partial_tiles())
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    stored = stored_subtree(size, files.get)
    verify_inclusion(index, size, leaves[index], inclusion_proof(index, size, stored), edge.root())
    proof = consistency_proof(old, size, stored)
    verify_consistency(old, size, proof, root_of(leaves[:old]), edge.root())
