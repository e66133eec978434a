"""Which keys, people and tokens do tests of mandates use?"""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from flyball.authority.mandates.attenuate import attenuate
from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.grant import Person, grant
from flyball.authority.mandates.thumbprint import ed25519_jwk, thumbprint
from flyball.authority.mandates.tokens import Verifier
from flyball.authority.revocation.signer import Signer

T = 1_763_600_000.0
ROOT = Signer.new("1")
OLD_ROOT = Signer.new("2")
APPROVER = Signer.new("ann")
ANNA = Person(
    issuer="https://idp.example", subject="u|17", session="s-1", acr="2", amr=("pwd", "otp")
)
WIDE = Limits(
    operations=("chat", "embed"), models=("m", "n"), classes=("a", "b"),
    data_classes=("personal", "public"), jurisdictions=("EU",), budget_micro_usd=5_000_000,
    hops=5, autonomy=2, policy_digest="sha256:ab", expires_at=T + 3600,
)  # fmt: skip
LOOSE = Limits(expires_at=T + 3600)


def verifier(**changes: Any) -> Verifier:
    given = {
        "roots": {1: ROOT.public, 2: OLD_ROOT.public},
        "approvers": {APPROVER.name: APPROVER.public},
        "jurisdictions": {"DE": "EU", "FR": "EU"},
    }
    return Verifier(**(given | changes))


def granted(limits: Limits = WIDE, **more: Any) -> str:
    return grant(ROOT, ANNA, limits, T, **more)


def chain(hops: int, limits: Limits = WIDE) -> str:
    token = granted(limits)
    for number in range(hops):
        token = attenuate(token, Limits(operations=("chat",)), agent=f"agent-{number}")
    return token


def jkt(signer: Signer) -> str:
    return thumbprint(ed25519_jwk(signer.public))


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def ec_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {
        "kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32, "big")),
        "y": b64(numbers.y.to_bytes(32, "big")),
    }  # fmt: skip


def proof(
    key: Signer | ec.EllipticCurvePrivateKey, token: str, header: Any = None, **claims: Any
) -> str:
    """A DPoP proof, as a client makes it; `header` and `claims` replace what is right."""
    is_ed = isinstance(key, Signer)
    head = {
        "typ": "dpop+jwt", "alg": "EdDSA" if is_ed else "ES256",
        "jwk": ed25519_jwk(key.public) if is_ed else ec_jwk(key),
    } | (header or {})  # fmt: skip
    body = {
        "jti": "jti-0001", "htm": "POST", "htu": "https://gate.example/v1/chat", "iat": T,
        "ath": b64(sha256(token.encode()).digest()),
    } | claims  # fmt: skip
    text = ".".join(b64(json.dumps(part).encode()) for part in (head, body))
    if is_ed:
        signature = key.private.sign(text.encode())
    else:
        r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{text}.{b64(signature)}"
