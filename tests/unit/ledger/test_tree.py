"""Do roots and proofs agree with the published RFC 6962 vectors, and do false proofs fail?"""

import pytest

from flyball.ledger.tree import (
    EMPTY_ROOT,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    perfect_root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The vectors of the Certificate Transparency reference implementation (its merkletree tests).
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION_5_OF_8 = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
CONSISTENCY_6_TO_8 = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def subtree(height: int, index: int) -> bytes:
    return perfect_root(LEAVES[index << height : (index + 1) << height])


def test_roots_of_the_published_tree() -> None:
    assert [root_of(LEAVES[:size]) for size in range(1, 9)] == ROOTS


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT
    assert EMPTY_ROOT.hex().startswith("e3b0c44298fc1c14")


def test_published_inclusion_proof() -> None:
    proof = inclusion_proof(5, 8, subtree)
    assert [sibling.hex() for sibling in proof] == INCLUSION_5_OF_8
    verify_inclusion(5, 8, LEAVES[5], proof, ROOTS[7])


def test_published_consistency_proof() -> None:
    proof = consistency_proof(6, 8, subtree)
    assert [sibling.hex() for sibling in proof] == CONSISTENCY_6_TO_8
    verify_consistency(6, 8, proof, ROOTS[5], ROOTS[7])


@pytest.mark.parametrize("index", [0, 1, 4, 6, 7])
def test_an_inclusion_proof_holds_for_its_own_index_only(index: int) -> None:
    proof = inclusion_proof(5, 8, subtree)
    with pytest.raises(ProofError):
        verify_inclusion(index, 8, LEAVES[5], proof, ROOTS[7])


def test_a_proof_that_is_cut_or_padded_fails() -> None:
    proof = inclusion_proof(5, 8, subtree)
    with pytest.raises(ProofError, match="short"):
        verify_inclusion(5, 8, LEAVES[5], proof[:-1], ROOTS[7])
    with pytest.raises(ProofError, match="long"):
        verify_inclusion(5, 8, LEAVES[5], [*proof, LEAVES[0]], ROOTS[7])


def test_consistency_with_another_past_fails() -> None:
    proof = consistency_proof(6, 8, subtree)
    with pytest.raises(ProofError, match="does not extend"):
        verify_consistency(6, 8, proof, ROOTS[4], ROOTS[7])
    with pytest.raises(ProofError, match="short"):
        verify_consistency(6, 8, proof[:-1], ROOTS[5], ROOTS[7])
    with pytest.raises(ProofError, match="long"):
        verify_consistency(6, 8, [*proof, LEAVES[0]], ROOTS[5], ROOTS[7])
    with pytest.raises(ProofError, match="empty"):
        verify_consistency(6, 8, [], ROOTS[5], ROOTS[7])


def test_trivial_consistency() -> None:
    verify_consistency(8, 8, [], ROOTS[7], ROOTS[7])
    with pytest.raises(ProofError, match="different roots"):
        verify_consistency(8, 8, [], ROOTS[6], ROOTS[7])
    for root in (EMPTY_ROOT, ROOTS[0]):
        with pytest.raises(ProofError, match="empty tree"):
            verify_consistency(0, 8, [], root, ROOTS[7])
    with pytest.raises(ProofError, match="long"):
        verify_consistency(8, 8, [ROOTS[0]], ROOTS[7], ROOTS[7])


@pytest.mark.parametrize(("index", "size"), [(8, 8), (-1, 8), (0, 0)])
def test_what_is_not_in_the_tree_cannot_be_proven(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        inclusion_proof(index, size, subtree)
    with pytest.raises(ProofError, match="is not in a tree"):
        verify_inclusion(index, size, LEAVES[0], [], ROOTS[0])


def test_a_tree_cannot_shrink() -> None:
    with pytest.raises(ValueError, match="did not grow"):
        consistency_proof(9, 8, subtree)
    with pytest.raises(ProofError, match="did not grow"):
        verify_consistency(9, 8, [], ROOTS[7], ROOTS[7])


@pytest.mark.parametrize("count", [0, 3, 6])
def test_only_a_power_of_two_is_perfect(count: int) -> None:
    with pytest.raises(ValueError, match="not a perfect subtree"):
        perfect_root(LEAVES[:count])
