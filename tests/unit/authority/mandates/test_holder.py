"""Does a proof hold for its key, its request, its token and its moment alone?"""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from flyball.authority.mandates.holder import AGE_MAX_S, holder_of, seen_proofs
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.thumbprint import ed25519_jwk, thumbprint
from flyball.authority.revocation.signer import Signer
from support.mandates import T, ec_jwk, granted, jkt, proof

KEY, EC_KEY = Signer.new("k"), ec.generate_private_key(ec.SECP256R1())
TOKEN = granted()
URL = "https://gate.example/v1/chat"


def judged(
    text: str, at: float = T, token: str = TOKEN, url: str = URL, method: str = "POST"
) -> str:
    return holder_of(text, method, url, token, at, seen_proofs())


def refused(text: str, **more: Any) -> str:
    with pytest.raises(MandateError) as caught:
        judged(text, **more)
    assert TOKEN[7:40] not in caught.value.detail
    return caught.value.code


def test_both_kinds_of_key() -> None:
    assert judged(proof(KEY, TOKEN)) == jkt(KEY)
    assert judged(proof(EC_KEY, TOKEN)) == thumbprint(ec_jwk(EC_KEY))


def test_a_foreign_librarys_proof() -> None:
    text = proof(KEY, TOKEN)
    claims = jwt.decode(text, KEY.private.public_key(), algorithms=["EdDSA"])
    header = {"typ": "dpop+jwt", "jwk": ed25519_jwk(KEY.public)}
    made = jwt.encode(claims, KEY.private, algorithm="EdDSA", headers=header)
    assert judged(made) == jkt(KEY)


def test_once_only() -> None:
    seen = seen_proofs()
    text = proof(KEY, TOKEN)
    holder_of(text, "POST", URL, TOKEN, T, seen)
    with pytest.raises(MandateError) as caught:
        holder_of(text, "POST", URL, TOKEN, T + AGE_MAX_S, seen)
    assert caught.value.code == "proof_replayed"
    assert holder_of(proof(EC_KEY, TOKEN), "POST", URL, TOKEN, T, seen)  # another key's jti


def test_another_request() -> None:
    for claims in (
        {"htm": "GET"}, {"htu": "https://gate.example/v1/other"}, {"htu": 7}, {"htu": "x"},
        {"htu": "http://gate.example/v1/chat"}, {"htu": "https://other.example/v1/chat"},
        {"ath": "x"}, {"ath": None},
        {"htu": "https://gate.example:99999/v1/chat"},
    ):  # fmt: skip
        assert refused(proof(KEY, TOKEN, **claims)) == "proof_mismatch"
    assert refused(proof(KEY, TOKEN), token=granted()) == "proof_mismatch"
    assert judged(proof(KEY, TOKEN, htu="HTTPS://GATE.example:443/v1/chat?x=1#y"))


def test_another_time() -> None:
    for shift in (-AGE_MAX_S - 1, 3):
        assert refused(proof(KEY, TOKEN, iat=T + shift)) == "proof_stale"
    for made in (None, "now", True, float("nan")):
        assert refused(proof(KEY, TOKEN, iat=made)) in ("proof_malformed", "proof_stale")
    assert judged(proof(KEY, TOKEN, iat=T + 2)) and judged(proof(KEY, TOKEN, iat=T - AGE_MAX_S))


def test_algorithms_are_the_keys_own() -> None:
    for header in (
        {"alg": "none"}, {"alg": "HS256"}, {"alg": "ES256"}, {"alg": "RS256"}, {"typ": "JWT"},
        {"jwk": ec_jwk(EC_KEY)}, {"jwk": None}, {"crit": ["x"]},
        {"jwk": ed25519_jwk(KEY.public) | {"d": "secret"}}, {"jwk": ed25519_jwk(bytes(32))},
        {"jwk": {"kty": "oct", "k": "x"}},
    ):  # fmt: skip
        assert refused(proof(KEY, TOKEN, header)) == "proof_malformed"
    assert (
        refused(proof(KEY, TOKEN, {"jwk": ed25519_jwk(Signer.new("x").public)})) == "proof_forged"
    )
    off = ec_jwk(EC_KEY) | {"y": ec_jwk(EC_KEY)["x"]}
    assert refused(proof(EC_KEY, TOKEN, {"jwk": off})) == "proof_forged"


def test_malformed() -> None:
    text = proof(KEY, TOKEN)
    for bad in (
        "",
        "a.b",
        "a.b.c",
        text + "=",
        text + ".",
        text[:-4],
        "x" * 5000,
        text.replace(".", ".."),
    ):
        assert refused(bad) in ("proof_malformed", "proof_forged")
    for claims in ({"jti": "short"}, {"jti": "x" * 200}, {"jti": 12345678}):
        assert refused(proof(KEY, TOKEN, **claims)) == "proof_malformed"
