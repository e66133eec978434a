"""Does the sender hold the key that the mandate is bound to (DPoP, RFC 9449 4.3)?

The proof is a JWT of its own kind, signed by the key that stands in it, for one method and URL, one
token and one moment. Only EdDSA and ES256, each with its own kind of key: what the proof's header
says chooses nothing else.
"""

import json
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import urlsplit

from flyball.authority.mandates.once import Once
from flyball.authority.mandates.refusals import Code, MandateError
from flyball.authority.mandates.thumbprint import CURVES, thumbprint
from flyball.authority.revocation.signer import KeyTextError, base64url, read_base64url
from flyball.signing.ed25519 import SignatureError, verify
from flyball.units import Seconds

PROOF_CHARS_MAX = 4_096
# How old a proof may be, and how far ahead its maker's clock.
AGE_MAX_S: Seconds = 60.0
AHEAD_MAX_S: Seconds = 2.0
_JTI_CHARS = range(8, 129)
_PORTS = {"https": 443, "http": 80}
_COORDINATE_BYTES = 32


KEEP_S: Seconds = AGE_MAX_S + AHEAD_MAX_S  # as long as a proof may be repeated


def seen_proofs() -> Once:
    """What remembers used proofs where one process alone sees them."""
    return Once(KEEP_S)


class Seen(Protocol):
    """What remembers used proofs, for `KEEP_S`: `once.Once`, or a table that workers share."""

    def use(self, one: str, at: Seconds) -> bool:
        """Whether this is the first use, and can be remembered."""
        ...


def holder_of(proof: str, method: str, url: str, token: str, at: Seconds, seen: Seen) -> str:
    """The thumbprint (RFC 7638) of the key that made the proof for this request with this token.

    Raises MandateError: nothing is taken from a proof whose signature does not hold.
    """
    if len(proof) > PROOF_CHARS_MAX or proof.count(".") != 2:
        raise _malformed("it is no signed JWT of moderate length")
    head, body, signature = proof.split(".")
    header, claims = _object(head), _object(body)
    jwk = header.get("jwk")
    if header.get("typ") != "dpop+jwt" or not isinstance(jwk, dict) or "d" in jwk:
        raise _malformed("its header has not `typ: dpop+jwt` and a public `jwk`")
    try:
        name = thumbprint(jwk)
        raw = read_base64url(signature)
    except KeyTextError as error:
        raise _malformed(str(error)) from None
    if header.get("alg") != CURVES[jwk["kty"], jwk["crv"]] or "crit" in header:
        raise _malformed("its algorithm is not that of its key")
    _check_signature(jwk, raw, f"{head}.{body}".encode())
    _check_claims(claims, method, url, token, at)
    if not seen.use(f"{name}.{claims['jti']}", at):
        raise MandateError("proof_replayed", "the proof was used before: make one per request")
    return name


def _check_claims(claims: dict[str, Any], method: str, url: str, token: str, at: Seconds) -> None:
    jti, made = claims.get("jti"), claims.get("iat")
    if not isinstance(jti, str) or len(jti) not in _JTI_CHARS:
        raise _malformed("its `jti` has not 8 to 128 characters")
    if isinstance(made, bool) or not isinstance(made, int | float):
        raise _malformed("it has no `iat`")
    if not at - AGE_MAX_S <= made <= at + AHEAD_MAX_S:
        raise MandateError(
            "proof_stale", f"the proof is older than {AGE_MAX_S:.0f} s, or of a time yet to come"
        )
    wanted = base64url(sha256(token.encode()).digest())
    for claim, value, right in (
        ("htm", claims.get("htm"), method),
        ("htu", _target(claims.get("htu")), _target(url)),
        ("ath", claims.get("ath"), wanted),
    ):
        if value != right or right is None:
            raise MandateError("proof_mismatch", f"the proof's `{claim}` is not of this request")


def _target(url: Any) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path: a query or fragment does not count (RFC 9449 4.3, 9)."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        port = parts.port if parts else None
    except ValueError:
        return None
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path or "/"


def _check_signature(jwk: dict[str, Any], signature: bytes, message: bytes) -> None:
    try:
        if jwk["kty"] == "OKP":
            verify(read_base64url(jwk["x"]), signature, message)
        else:
            _verify_es256(jwk, signature, message)
    except SignatureError:
        raise MandateError("proof_forged", "the proof's signature does not hold") from None


def _verify_es256(jwk: dict[str, Any], signature: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    if len(signature) != 2 * _COORDINATE_BYTES:
        raise SignatureError("it has not 64 bytes")
    x, y = (int.from_bytes(read_base64url(jwk[name]), "big") for name in ("x", "y"))
    r, s = (
        int.from_bytes(half, "big")
        for half in (signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:])
    )
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise SignatureError("it does not hold") from None


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(read_base64url(part))
    except (KeyTextError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _malformed("a part of it is no JSON object in base64url")
    return found


def _malformed(why: str) -> MandateError:
    code: Code = "proof_malformed"
    return MandateError(code, f"the DPoP proof is not acceptable: {why}")
