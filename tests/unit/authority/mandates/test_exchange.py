"""Does a JWT tell the whole chain, and is only ours believed again?"""

import hmac
import json

import jwt
import pytest
from msgspec import structs

from flyball.authority.mandates.exchange import from_jwt, to_jwt
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.revocation.signer import Signer
from support.mandates import T, b64, chain, granted, jkt, verifier

SIGNER = Signer.new("sts")
KEYS = {"sts": SIGNER.public}
MANDATE = verifier().verify(chain(3), T)


def refused(text: str, at: float = T, holder: str = "", audience: str = "svc") -> str:
    with pytest.raises(MandateError) as caught:
        from_jwt(text, KEYS, "https://gate", audience, at, holder)
    return caught.value.code


def exchanged() -> str:
    return to_jwt(MANDATE, SIGNER, "https://gate", "svc", T)


def test_acts_are_nested_with_the_present_actor_outermost() -> None:
    claims = jwt.decode(exchanged(), options={"verify_signature": False})
    assert claims["sub"] == MANDATE.human and claims["exp"] == int(T + 900)
    assert claims["act"] == {
        "sub": "agent-2", "act": {"sub": "agent-1", "act": {"sub": "agent-0"}},
    }  # fmt: skip
    assert claims["scope"] == "chat" and "cnf" not in claims
    assert "act" not in jwt.decode(
        to_jwt(verifier().verify(granted(), T), SIGNER, "i", "a", T),
        options={"verify_signature": False},
    )


def test_there_and_back() -> None:
    again = from_jwt(exchanged(), KEYS, "https://gate", "svc", T)
    wanted = structs.replace(MANDATE, depth_left=0, expires_at=T + 900)
    assert again == wanted


def test_a_key_goes_along() -> None:
    holder = Signer.new("h")
    mandate = verifier().verify(granted(holder=jkt(holder)), T, jkt(holder))
    text = to_jwt(mandate, SIGNER, "https://gate", "svc", T)
    assert from_jwt(text, KEYS, "https://gate", "svc", T, jkt(holder)).is_held
    assert refused(text) == "mandate_holder_required"
    for bad, at in ((structs.replace(mandate, is_held=False), T), (mandate, T + 3601)):
        with pytest.raises(MandateError):
            to_jwt(bad, SIGNER, "https://gate", "svc", at)


def test_algorithm_confusion() -> None:
    _head, body, _ = exchanged().split(".")
    fields = {"typ": "flyball-mandate+jwt", "kid": "sts"}
    for algorithm, signature in (("none", b""), ("HS256", None)):
        first = b64(json.dumps(fields | {"alg": algorithm}).encode())
        text = f"{first}.{body}"
        if signature is None:
            signature = hmac.digest(SIGNER.public, text.encode(), "sha256")
        assert refused(f"{text}.{b64(signature)}") == "jwt_algorithm"


def test_what_is_not_ours() -> None:
    good = exchanged()
    claims = jwt.decode(good, options={"verify_signature": False})
    assert refused(Signer.new("sts").jwt(claims, "flyball-mandate+jwt")) == "jwt_forged"
    assert refused(Signer.new("x").jwt(claims, "flyball-mandate+jwt")) == "jwt_unknown_key"
    assert refused(SIGNER.jwt(claims, "JWT")) == "jwt_algorithm"
    assert refused(good, audience="other") == "jwt_claims"
    assert refused(good, at=T + 903) == "jwt_expired"
    assert refused(good, at=T - 3) == "jwt_expired"
    for bad in ("", "a.b.c", "x" * 20_000):
        assert refused(bad) == "jwt_malformed"
    for broken in ({"flyball": {}}, {"flyball": None}, {"act": {"x": 1}}, {"flyball": [1]}):
        assert refused(SIGNER.jwt(claims | broken, "flyball-mandate+jwt")) == "jwt_claims"
