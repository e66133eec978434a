"""Does this Ed25519 signature hold, by rules under which no two verifiers disagree?

RFC 8032 5.1.7 without the cofactor (what OpenSSL computes), and besides: no point in a second
spelling (y >= p, or a negative zero), none of an order that divides 8 as key or as R, S < L. That
is what `verify_strict` of ed25519-dalek and recent libsodium refuse too. OpenSSL alone would take
low-order and non-canonical keys, under which one signature fits many messages.
"""

SIGNATURE_BYTES = 64
KEY_BYTES = 32
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_SIGN = 1 << 255
# y of the points whose order divides 8 (1; 2; 4; 8, twice), as C2SP CCTV ed25519 lists them.
_LOW_ORDER_Y = frozenset(
    int.from_bytes(bytes.fromhex(point), "little")
    for point in (
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "00" * 32,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


class SignatureError(ValueError):
    """A key or a signature is not acceptable; the message says why."""


def check_key(public: bytes) -> None:
    """Raises SignatureError unless these are 32 bytes of a canonical point of full order.

    Whether the point lies on the curve at all is left to `verify`.
    """
    _check_point(public, "the key")


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Raises SignatureError unless `signature` over `message` holds under the key `public`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    check_key(public)
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError(f"the signature has {len(signature)} bytes, not {SIGNATURE_BYTES}")
    _check_point(signature[:KEY_BYTES], "the signature's point")
    if int.from_bytes(signature[KEY_BYTES:], "little") >= _L:
        raise SignatureError("the signature's scalar is not reduced")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise SignatureError("the signature does not hold") from None


def _check_point(encoded: bytes, noun: str) -> None:
    if len(encoded) != KEY_BYTES:
        raise SignatureError(f"{noun} has {len(encoded)} bytes, not {KEY_BYTES}")
    y = int.from_bytes(encoded, "little") & (_SIGN - 1)
    if y >= _P:
        raise SignatureError(f"{noun} is not canonical")
    if y in _LOW_ORDER_Y:
        raise SignatureError(f"{noun} is of small order")
