"""Are sessions ended by the pinned provider's tokens alone, each for what it says?"""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import algorithms, utils

from flyball.authority.revocation.setevents import (
    LOGOUT,
    SESSION_REVOKED,
    VERIFICATION,
    Issuer,
    SetError,
    SetReader,
    read_keys,
)

ISS, AUD = "https://idp.example", "flyball"
AT = time.time()
ES = ec.generate_private_key(ec.SECP256R1())
ED = Ed25519PrivateKey.generate()


def jwk(private: Any, kid: str, alg: str) -> dict[str, Any]:
    kinds = {"ES256": algorithms.ECAlgorithm, "EdDSA": algorithms.OKPAlgorithm}
    shown = kinds[alg].to_jwk(private.public_key(), as_dict=True)
    return {**shown, "kid": kid, "alg": alg}


KEYS = read_keys(json.dumps({"keys": [jwk(ES, "e", "ES256"), jwk(ED, "d", "EdDSA")]}).encode())
READER = SetReader((Issuer(ISS, AUD, KEYS),))


def signed(
    claims: dict[str, Any], typ: str, key: Any = ES, alg: str = "ES256", **head: Any
) -> bytes:
    return jwt.encode(claims, key, alg, headers={"kid": "e", "typ": typ, **head}).encode()


def event(told: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    given = {
        "iss": ISS, "aud": AUD, "iat": int(AT), "jti": "j1",
        "sub_id": {"format": "iss_sub", "iss": ISS, "sub": "u1"},
        "events": {SESSION_REVOKED: told or {}}, **changed,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def logout(**changed: Any) -> dict[str, Any]:
    given = {
        "iss": ISS, "aud": AUD, "iat": int(AT), "exp": int(AT) + 120, "jti": "j1",
        "events": {LOGOUT: {}}, "sub": "u1", "sid": "s1", **changed,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def ends(claims: dict[str, Any]) -> Any:
    return READER.security_event(signed(claims, "secevent+jwt"), AT).revocation


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ({"format": "iss_sub", "iss": ISS, "sub": "u1"}, f"human:{ISS}|u1"),
        ({"format": "opaque", "id": "s1"}, f"session:{ISS}|s1"),
        (
            {"format": "complex", "user": {"format": "iss_sub", "iss": ISS, "sub": "u1"}},
            f"human:{ISS}|u1",
        ),
        (
            {
                "session": {"format": "opaque", "id": "s1"},
                "user": {"format": "iss_sub", "iss": ISS, "sub": "u1"},
            },
            f"session:{ISS}|s1",
        ),
    ],
)
def test_it_ends_whom_it_names(subject: dict[str, Any], found: str) -> None:
    assert ends(event(sub_id=subject)).subjects == (found,)
    assert ends(event({"subject": subject}, sub_id=None)).subjects == (found,), "older drafts"


def test_it_counts_from_when_the_session_ended() -> None:
    assert ends(event({"event_timestamp": int(AT) - 50})).made_at == int(AT) - 50
    assert ends(event({"event_timestamp": 1000 * (int(AT) - 50)})).made_at == int(AT) - 50
    assert ends(event({"event_timestamp": int(AT) + 500})).made_at == AT, "not in the future"
    told = ends(event({"reason_admin": {"en": "left the company"}}))
    assert told.reason == "left the company" and told.by == f"issuer {ISS}"


def test_the_same_token_is_the_same_revocation_and_another_is_not() -> None:
    assert ends(event()).id == ends(event()).id != ends(event(jti="j2")).id


def test_a_verification_ends_nobody() -> None:
    assert ends(event(events={VERIFICATION: {"state": "x"}}, sub_id=None)) is None


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (event(iss="https://evil.example"), "invalid_issuer"),
        (event(aud="others"), "invalid_audience"),
        (event(aud=None), "invalid_audience"),
        (event(jti=None), "invalid_request"),
        (event(iat=None), "invalid_request"),
        (event(iat=int(AT) + 600), "invalid_request"),
        (event(iat=int(AT) - 90_000), "invalid_request"),
        (event(exp=int(AT) + 60), "invalid_request"),
        (event(sub="u1"), "invalid_request"),
        (event(events={}), "invalid_request"),
        (event(events=[1]), "invalid_request"),
        (event(events={SESSION_REVOKED: 1}), "invalid_request"),
        (event(events={"https://other": {}}), "invalid_request"),
        (event(sub_id={"format": "iss_sub", "iss": "https://x", "sub": "u"}), "invalid_request"),
        (event(sub_id={"format": "email", "email": "u@x"}), "invalid_request"),
        (event(sub_id={"format": "opaque", "id": ""}), "invalid_request"),
        (event(sub_id=None), "invalid_request"),
        (event(sub_id={"format": "complex", "user": {"format": "complex"}}), "invalid_request"),
    ],
)  # fmt: skip
def test_other_tokens_are_refused_with_their_code(claims: dict[str, Any], code: str) -> None:
    with pytest.raises(SetError) as told:
        READER.security_event(signed(claims, "secevent+jwt"), AT)
    assert told.value.code == code


def es256_as_hs256() -> bytes:
    """Algorithm confusion: a MAC whose key is the public key's text."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = ES.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [
        utils.base64url_encode(json.dumps(part).encode())
        for part in ({"alg": "HS256", "kid": "e", "typ": "secevent+jwt"}, event())
    ]
    body = b".".join(parts)
    mac = algorithms.HMACAlgorithm(algorithms.HMACAlgorithm.SHA256)
    return body + b"." + utils.base64url_encode(mac.sign(body, pem))


@pytest.mark.parametrize(
    "token",
    [
        signed(event(), "secevent+jwt", ec.generate_private_key(ec.SECP256R1())),
        signed(event(), "secevent+jwt", kid="unknown"),
        signed(event(), "secevent+jwt", ED, "EdDSA"),  # a pinned key's kid with another algorithm
        jwt.encode(event(), "", "none", headers={"kid": "e", "typ": "secevent+jwt"}).encode(),
        es256_as_hs256(),
        signed(event(), "secevent+jwt")[:-4] + b"AAAA",
    ],
)
def test_the_token_does_not_choose_its_key_or_algorithm(token: bytes) -> None:
    with pytest.raises(SetError) as told:
        READER.security_event(token, AT)
    assert told.value.code == "invalid_key"


CRITICAL = signed(event(), "secevent+jwt", crit=["x"])


@pytest.mark.parametrize("token", [CRITICAL, b"", b"a.b.c", b"\xff", b"x" * 20_000, b"e30.e30.e30"])
def test_what_is_no_token_is_refused(token: bytes) -> None:
    with pytest.raises(SetError):
        READER.security_event(token, AT)
    with pytest.raises(SetError):
        READER.logout(token, AT)


def test_one_kind_of_token_is_not_taken_for_the_other() -> None:
    with pytest.raises(SetError):
        READER.logout(signed(event(), "secevent+jwt"), AT)
    with pytest.raises(SetError):
        READER.security_event(signed(logout(), "logout+jwt"), AT)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, f"session:{ISS}|s1"),
        ({"sid": None}, f"human:{ISS}|u1"),
        ({"sub": None}, f"session:{ISS}|s1"),
    ],
)
def test_a_logout_token_ends_its_session_or_all(changed: dict[str, Any], found: str) -> None:
    ended = READER.logout(signed(logout(**changed), "logout+jwt"), AT)
    assert ended.revocation is not None and ended.revocation.subjects == (found,)


@pytest.mark.parametrize(
    "changed",
    [{"nonce": "n"}, {"exp": int(AT) - 100}, {"exp": None}, {"sub": None, "sid": None},
     {"events": {}}, {"jti": None}],
)  # fmt: skip
def test_what_is_no_logout_token_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SetError):
        READER.logout(signed(logout(**changed), "logout+jwt"), AT)
    with pytest.raises(SetError):
        READER.logout(signed(logout(), "at+jwt"), AT)


def test_keys_that_cannot_be_pinned_are_refused() -> None:
    good = jwk(ES, "e", "ES256")
    short = rsa.generate_private_key(65537, 1024).public_key()
    weak = {**algorithms.RSAAlgorithm.to_jwk(short, as_dict=True), "kid": "r", "alg": "RS256"}
    secret = {**algorithms.OKPAlgorithm.to_jwk(ED, as_dict=True), "kid": "d", "alg": "EdDSA"}
    mac = {"kty": "oct", "k": "AAAA", "kid": "m", "alg": "HS256"}
    bad = [{**good, "alg": ""}, {**good, "kid": ""}, {**good, "alg": "HS256"}, weak, secret, mac]
    for one in bad:
        with pytest.raises(ValueError):
            read_keys(json.dumps({"keys": [one]}).encode())
    with pytest.raises(ValueError):
        read_keys(json.dumps({"keys": [good, good]}).encode())
    for text in (b"", b"{}", b"[]", b'{"keys":[{"kid":"e","alg":"ES256"}]}'):
        with pytest.raises(ValueError):
            read_keys(text)
