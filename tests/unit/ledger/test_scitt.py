"""Does a receipt hold for a verifier written apart, from the RFCs, sharing no code with ours?"""

from hashlib import sha256

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.ledger.checkpoint import Checkpoint
from flyball.ledger.record import encode
from flyball.ledger.scitt import statement
from flyball.ledger.tree import inclusion_proof, leaf_hash, perfect_root, root_of
from flyball.ledger.verify import Inclusion
from support import records
from support.signers import LOG

ENTRIES = [encode(records.intent(number)) for number in range(11)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def made(index: int) -> bytes:
    def subtree(height: int, place: int) -> bytes:
        return perfect_root(LEAVES[place << height : (place + 1) << height])

    claimed = Checkpoint(LOG.key.name, len(LEAVES), root_of(LEAVES))
    proof = tuple(inclusion_proof(index, len(LEAVES), subtree))
    return statement(
        ENTRIES[index], f"r{index}", Inclusion(index, claimed, LEAVES[index], proof), LOG
    )


def root_from(size: int, index: int, leaf: bytes, path: list[bytes]) -> bytes:
    """RFC 9162 2.1.3.2, recursively: which half holds the leaf, and the sibling on the other."""
    if size == 1:
        assert not path
        return leaf
    half = 1
    while half * 2 < size:
        half *= 2
    if index < half:
        left, right = root_from(half, index, leaf, path[:-1]), path[-1]
    else:
        left, right = path[-1], root_from(size - half, index - half, leaf, path[:-1])
    return sha256(b"\x01" + left + right).digest()


def verified(raw: bytes) -> bytes:
    """The payload, once both signatures hold."""
    key = Ed25519PublicKey.from_public_bytes(LOG.key.public)
    outer = cbor2.loads(raw)
    assert outer.tag == 18
    head, open_head, payload, signature = outer.value
    key.verify(signature, cbor2.dumps(["Signature1", head, b"", payload]))
    claims = cbor2.loads(head)
    assert claims[1] == -8 and claims[15][1] == LOG.key.name
    (receipt,) = open_head[394]
    inner_head, inner_open, detached, inner_signature = cbor2.loads(receipt).value
    assert detached is None and cbor2.loads(inner_head)[395] == 1
    (path,) = inner_open[396][-1]
    size, index, hashes = cbor2.loads(path)
    root = root_from(size, index, sha256(b"\x00" + payload).digest(), hashes)
    key.verify(inner_signature, cbor2.dumps(["Signature1", inner_head, b"", root]))
    return payload


@pytest.mark.parametrize("index", range(11))
def test_each_entry_holds(index: int) -> None:
    assert verified(made(index)) == ENTRIES[index]


def test_another_payload_or_a_receipt_of_another_entry_does_not() -> None:
    first, second = cbor2.loads(made(3)), cbor2.loads(made(4))
    changed = cbor2.CBORTag(18, [*first.value[:2], ENTRIES[4], first.value[3]])
    swapped = cbor2.CBORTag(18, [first.value[0], second.value[1], *first.value[2:]])
    for bad in (changed, swapped):
        with pytest.raises(InvalidSignature):
            verified(cbor2.dumps(bad))
