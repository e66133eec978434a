"""By which short name does everyone know a public key (RFC 7638)?"""

from hashlib import sha256
from typing import Any

from flyball.authority.revocation.signer import KeyTextError, base64url, read_base64url
from flyball.signing.ed25519 import SignatureError, check_key

# RFC 7638 3.2 and RFC 8037 2: the members that count, in order.
_MEMBERS = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y")}
_COORDINATE_BYTES = 32
CURVES = {("OKP", "Ed25519"): "EdDSA", ("EC", "P-256"): "ES256"}


def thumbprint(jwk: dict[str, Any]) -> str:
    """Of an Ed25519 or P-256 key; KeyTextError for any other, a weak one, or a second spelling."""
    kind = (jwk.get("kty"), jwk.get("crv"))
    if kind not in CURVES:
        raise KeyTextError("the key is neither Ed25519 nor P-256")
    names = _MEMBERS[jwk["kty"]]
    values = [jwk.get(name) for name in names]
    if not all(isinstance(value, str) for value in values):
        raise KeyTextError("a member of the key is missing")
    for name in names[2:]:
        data = read_base64url(jwk[name])
        if len(data) != _COORDINATE_BYTES:
            raise KeyTextError("a member of the key has a wrong length")
        if kind[0] == "OKP":
            try:
                check_key(data)
            except SignatureError as error:
                raise KeyTextError(str(error)) from None
    text = ",".join(f'"{name}":"{value}"' for name, value in zip(names, values, strict=True))
    return base64url(sha256(f"{{{text}}}".encode()).digest())


def ed25519_jwk(public: bytes) -> dict[str, str]:
    """The key as a JWK (RFC 8037)."""
    return {"crv": "Ed25519", "kty": "OKP", "x": base64url(public)}


def p256_jwk(compressed: bytes) -> dict[str, str]:
    """A compressed point as a JWK; KeyTextError if it is none."""
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), compressed)
    except ValueError:
        raise KeyTextError("the point is not on the curve") from None
    numbers = point.public_numbers()
    x, y = (
        base64url(number.to_bytes(_COORDINATE_BYTES, "big")) for number in (numbers.x, numbers.y)
    )
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
