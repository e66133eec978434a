"""Does the oracle agree with the verifier in use on what both can compute, and is it strict?"""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.ledger.suites.edwards import is_valid

L = 2**252 + 27742317777372353535851937790883648493


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 767))
@settings(max_examples=40, deadline=None)
def test_it_agrees_with_openssl(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert is_valid(public, signature, message)
    changed = bytearray(public + signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_valid(bytes(changed[:32]), bytes(changed[32:]), message)


def test_it_is_strict() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes([5]) * 32)
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"m")
    grown = int.from_bytes(signature[32:], "little") + L
    assert not is_valid(public, signature[:32] + grown.to_bytes(32, "little"), b"m")
    identity = (1).to_bytes(32, "little")
    assert not is_valid(identity, identity + bytes(32), b"m")


@pytest.mark.parametrize(("key", "signature"), [(31, 64), (32, 63), (33, 64), (0, 0)])
def test_other_lengths(key: int, signature: int) -> None:
    assert not is_valid(bytes(key), bytes(signature), b"")
