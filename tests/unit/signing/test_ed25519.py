"""Does the one verifier agree with RFC 8032, and refuse what others take?"""

from base64 import b64decode
from hashlib import sha512

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.signing.ed25519 import SignatureError, check_key, verify

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
OTHER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
# All spellings of the points whose order divides 8: eight, and six that are not canonical.
LOW_ORDER = [
    *(y.to_bytes(32, "little") for y in (0, 1, P - 1, P, P + 1)),
    *((y | 1 << 255).to_bytes(32, "little") for y in (0, 1, P - 1, P, P + 1)),
    *(bytes.fromhex(text) for text in (ORDER_8, OTHER_8)),
    *(bytes.fromhex(text[:62] + f"{int(text[62:], 16) | 0x80:02x}") for text in (ORDER_8, OTHER_8)),
]
# RFC 8032 7.1: (key, message, signature).
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_the_published_signatures_hold(key: str, message: str, signature: str) -> None:
    verify(bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
@settings(max_examples=100, deadline=None)
def test_what_is_signed_holds_and_no_flipped_bit_does(
    seed: bytes, message: bytes, bit: int
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    verify(public, signature, message)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureError):
        verify(public, bytes(changed), message)
    with pytest.raises(SignatureError):
        verify(public, signature, message + b"\0")


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_no_key_of_small_order_is_taken_in_any_spelling(point: bytes) -> None:
    with pytest.raises(SignatureError, match=r"small order|not canonical"):
        check_key(point)


@pytest.mark.parametrize("y", range(P, 2**255))
def test_no_key_in_a_second_spelling_is_taken(y: int) -> None:
    for sign in (0, 1 << 255):
        with pytest.raises(SignatureError):
            check_key((y | sign).to_bytes(32, "little"))


def test_a_forgery_for_many_messages_that_openssl_takes_is_refused() -> None:
    """Under the identity as key, R = S·B with S = 0 fits every message."""
    identity = (1).to_bytes(32, "little")
    forged = identity + bytes(32)
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"pay 1")
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"pay 1000")
    with pytest.raises(SignatureError, match="the key is of small order"):
        verify(identity, forged, b"pay 1")


def test_a_point_of_small_order_in_the_signature_is_refused() -> None:
    """R = identity and S = k·a: made with the private scalar, and OpenSSL takes it."""
    seed, message = bytes([9]) * 32, b"m"
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    digest = bytearray(sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    point = (1).to_bytes(32, "little")
    challenge = int.from_bytes(sha512(point + public + message).digest(), "little") % L
    scalar = challenge * int.from_bytes(digest, "little") % L
    signature = point + scalar.to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    with pytest.raises(SignatureError, match="the signature's point is of small order"):
        verify(public, signature, message)


def test_a_scalar_that_is_not_reduced_is_refused() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes([5]) * 32)
    signature = private.sign(b"m")
    grown = int.from_bytes(signature[32:], "little") + L
    with pytest.raises(SignatureError, match="not reduced"):
        verify(
            private.public_key().public_bytes_raw(),
            signature[:32] + grown.to_bytes(32, "little"),
            b"m",
        )


@pytest.mark.parametrize("length", [0, 31, 33, 63, 65, 128])
def test_another_length_is_refused(length: int) -> None:
    key = b64decode("iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=")
    with pytest.raises(SignatureError, match="bytes, not 64"):
        verify(key, bytes(length), b"m")
    with pytest.raises(SignatureError, match="bytes, not 32"):
        check_key(bytes(length))


def test_a_key_that_is_no_point_is_refused() -> None:
    with pytest.raises(SignatureError, match="does not hold"):
        verify((2).to_bytes(32, "little"), (3).to_bytes(32, "little") + bytes(32), b"m")
