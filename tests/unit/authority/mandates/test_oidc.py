"""Is an ID token believed only from its provider, for us, in time, by the key's own algorithm?"""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flyball.authority.mandates.oidc import check_times, person_of
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.thumbprint import ed25519_jwk
from support.mandates import T, b64, ec_jwk

ISSUER, CLIENT = "https://idp.example", "flyball"
RSA, EC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def rsa_jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))


KEYS = [
    rsa_jwk(RSA) | {"kid": "r", "use": "sig", "alg": "RS256"}, ec_jwk(EC) | {"kid": "e"},
    ed25519_jwk(ED.public_key().public_bytes_raw()) | {"kid": "d"},
    ec_jwk(EC) | {"kid": "enc", "use": "enc"},
]  # fmt: skip
SIGNERS: dict[str, tuple[Any, str]] = {"r": (RSA, "RS256"), "e": (EC, "ES256"), "d": (ED, "EdDSA")}


def made(kid: str = "r", header: dict[str, Any] | None = None, **claims: Any) -> str:
    body = {
        "iss": ISSUER, "aud": CLIENT, "sub": "u1", "iat": T, "exp": T + 300, "sid": "s1",
        "acr": "2", "amr": ["pwd"], "nonce": "n",
    } | claims  # fmt: skip
    key, algorithm = SIGNERS[kid]
    return jwt.encode(body, key, algorithm, headers={"kid": kid} | (header or {}))


def refused(token: str, keys: Any = KEYS, at: float = T, nonce: str = "n") -> str:
    with pytest.raises(MandateError) as caught:
        person_of(token, keys, ISSUER, CLIENT, at, nonce)
    assert token[:40] not in caught.value.detail
    return caught.value.code


@pytest.mark.parametrize("kid", SIGNERS)
def test_each_kind_of_key(kid: str) -> None:
    person = person_of(made(kid), KEYS, ISSUER, CLIENT, T, "n")
    assert (person.issuer, person.subject, person.session) == (ISSUER, "u1", "s1")
    assert (person.acr, person.amr) == ("2", ("pwd",))


def test_algorithm_confusion() -> None:
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = {"iss": ISSUER, "aud": CLIENT, "sub": "u1", "iat": T, "exp": T + 300, "nonce": "n"}
    import hmac

    head = b64(json.dumps({"alg": "HS256", "kid": "r"}).encode())
    text = f"{head}.{b64(json.dumps(body).encode())}"
    shared = f"{text}.{b64(hmac.digest(pem, text.encode(), 'sha256'))}"
    none = f"{b64(json.dumps({'alg': 'none', 'kid': 'r'}).encode())}.{text.split('.')[1]}."
    for token in (shared, none):
        assert refused(token) == "jwt_algorithm"
    other = jwt.encode(body, RSA, "PS256", headers={"kid": "r"})
    assert refused(other) == "jwt_algorithm"
    assert refused(made(), [KEYS[0] | {"alg": "HS256"}]) == "jwt_algorithm"
    assert refused(made("e", {"kid": "r"})) == "jwt_algorithm"


def test_forged_and_unknown_keys() -> None:
    strange = rsa.generate_private_key(65537, 2048)
    body = {"iss": ISSUER, "aud": CLIENT, "sub": "u1", "iat": T, "exp": T + 300}
    assert refused(jwt.encode(body, strange, "RS256", headers={"kid": "r"})) == "jwt_forged"
    assert refused(made(header={"kid": "x"})) == "jwt_unknown_key"
    assert refused(made("e", {"kid": "enc"})) == "jwt_unknown_key"
    assert refused(made(), [*KEYS, KEYS[0]]) == "jwt_unknown_key"
    weak = rsa.generate_private_key(65537, 1024)
    short = jwt.encode(body, weak, "RS256", headers={"kid": "w"})
    assert refused(short, [rsa_jwk(weak) | {"kid": "w"}]) == "jwt_unknown_key"
    assert refused(made("d"), [ed25519_jwk(bytes(32)) | {"kid": "d"}]) == "jwt_unknown_key"
    for bad in ("one", "a.b.c", "x" * 20_000):
        assert refused(bad) == "jwt_malformed"
    token = made()
    assert refused(token[:-10]) in ("jwt_forged", "jwt_malformed")


def test_claims() -> None:
    for claims in (
        {"iss": "https://idp.example/"}, {"aud": "other"}, {"aud": ["other"]}, {"aud": None},
        {"aud": [CLIENT, "b"]}, {"nonce": "x"}, {"nonce": None}, {"sub": ""}, {"sub": 7},
        {"sid": 7}, {"amr": "pwd"}, {"amr": [1]}, {"iat": "now"}, {"exp": None}, {"iat": True},
    ):  # fmt: skip
        assert refused(made(**claims)) in ("jwt_claims", "jwt_forged"), claims
    assert person_of(made(aud=[CLIENT, "b"], azp=CLIENT), KEYS, ISSUER, CLIENT, T)


def test_clocks() -> None:
    token = made()
    for at, good in ((T + 302, True), (T + 303, False), (T - 2, True), (T - 3, False)):
        if good:
            assert person_of(token, KEYS, ISSUER, CLIENT, at)
        else:
            assert refused(token, at=at) == "jwt_expired"
    assert refused(made(exp=T + 99_999), at=T + 3700) == "jwt_expired"
    with pytest.raises(MandateError):
        check_times({"iat": T, "exp": T + 9, "nbf": T + 5}, T, 60)
