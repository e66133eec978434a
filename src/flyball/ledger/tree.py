"""What is the root of a list of entries, and how is membership or growth proven?

Merkle tree hashing of RFC 6962 section 2.1 (the same in RFC 9162): a leaf is SHA-256(0x00 ||
entry), a node is SHA-256(0x01 || left || right), and a list of n entries splits at the largest
power of two below n. Proofs ask a `Subtree` for hashes of perfect subtrees, so that the same code
proves from memory and from tiles.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

# (height, index) -> hash of the perfect subtree of 2**height leaves from leaf index * 2**height on
Subtree = Callable[[int, int], bytes]


class ProofError(ValueError):
    """A proof does not lead to the root it was held against."""


def leaf_hash(entry: bytes) -> bytes:
    """The 32-byte hash of one entry (RFC 6962 2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of two neighbours (RFC 6962 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over 2**k hashes; ValueError for any other count."""
    if not hashes or len(hashes) & (len(hashes) - 1):
        raise ValueError(f"{len(hashes)} hashes are not a perfect subtree")
    row = hashes
    while len(row) > 1:
        row = [
            sha256(b"\x01" + row[i] + row[i + 1]).digest()  # inline: the writer's hottest line
            for i in range(0, len(row), 2)
        ]
    return row[0]


def peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """The perfect subtrees that cover `hashes`, from the left: one per set bit of their count."""
    found: list[bytes] = []
    start = 0
    while start < len(hashes):
        span = 1 << ((len(hashes) - start).bit_length() - 1)
        found.append(perfect_root(hashes[start : start + span]))
        start += span
    return found


def fold(subtrees: Sequence[bytes]) -> bytes:
    """The root over `peaks`, joined from the right; the empty root if there are none."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over any number of leaf hashes (MTH of RFC 6962 2.1)."""
    return fold(peaks(leaf_hashes))


def range_root(begin: int, end: int, subtree: Subtree) -> bytes:
    """MTH(D[begin:end]), where begin is a multiple of the largest power of two in end - begin."""
    found: list[bytes] = []
    while begin < end:
        height = (end - begin).bit_length() - 1
        found.append(subtree(height, begin >> height))
        begin += 1 << height
    return fold(found)


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 2.1.1, nearest sibling first.

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(range_root(middle, end, subtree))
            end = middle
        else:
            path.append(range_root(begin, middle, subtree))
            begin = middle
    return path[::-1]


def consistency_proof(old_size: int, size: int, subtree: Subtree) -> list[bytes]:
    """PROOF(old_size, D[size]) of RFC 6962 2.1.2; empty if old_size is 0 or size.

    Raises ValueError unless 0 <= old_size <= size.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} did not grow from one of {old_size}")
    if old_size in (0, size):
        return []
    path: list[bytes] = []
    begin, end, is_whole = 0, size, True
    while old_size != end:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            path.append(range_root(middle, end, subtree))
            end = middle
        else:
            path.append(range_root(begin, middle, subtree))
            begin, is_whole = middle, False
    if not is_whole:
        path.append(range_root(begin, end, subtree))
    return path[::-1]


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that leaf hash `leaf` stands at `index` in the tree of `size` (RFC 9162 2.1.3.2).

    Raises ProofError if it does not.
    """
    if not 0 <= index < size:
        raise ProofError(f"entry {index} is not in a tree of {size}")
    if len(leaf) != HASH_BYTES:
        raise ProofError(f"a leaf hash has {HASH_BYTES} bytes, not {len(leaf)}")
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if found != root:
        raise ProofError(f"the proof of entry {index} leads to another root")


def verify_consistency(
    old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> None:
    """Check that the tree of `size` extends the tree of `old_size` (RFC 9162 2.1.4.2).

    Raises ProofError if it does not, and for an empty old tree, of which nothing can be proven.
    """
    if not 0 <= old_size <= size:
        raise ProofError(f"a tree of {size} did not grow from one of {old_size}")
    if old_size == size:
        _verify_same(size, proof, old_root, root)
        return
    if old_size == 0:
        raise ProofError("an empty tree proves nothing of what came after")
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofError("the proof is empty")
    place, last = old_size - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_found = new_found = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if old_found != old_root or new_found != root:
        raise ProofError(f"the tree of {size} does not extend the tree of {old_size}")


def _verify_same(size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    if proof:
        raise ProofError("the proof is too long")
    if old_root != root:
        raise ProofError(f"two trees of {size} have different roots")


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962 2.1)."""
    return 1 << ((count - 1).bit_length() - 1)
