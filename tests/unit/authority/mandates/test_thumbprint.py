"""Are keys known by the names that others give them?"""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flyball.authority.mandates.thumbprint import ed25519_jwk, p256_jwk, thumbprint
from flyball.authority.revocation.signer import KeyTextError
from support.mandates import b64, ec_jwk

# RFC 8037 A.2 and A.3.
RFC_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC_8037_NAME = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_rfcs_own_key() -> None:
    assert thumbprint(RFC_8037 | {"kid": "ignored"}) == RFC_8037_NAME


def test_a_point_and_its_compressed_form_are_one_key() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert p256_jwk(point) == ec_jwk(private) | {}
    with pytest.raises(KeyTextError):
        p256_jwk(b"\x02" + b"\xff" * 32)


def test_other_and_weak_keys() -> None:
    for jwk in (
        {"kty": "RSA", "n": "x", "e": "AQAB"}, {"kty": "OKP", "crv": "Ed448", "x": "x"},
        RFC_8037 | {"x": RFC_8037["x"][:-1]}, RFC_8037 | {"x": 7}, {"kty": "OKP", "crv": "Ed25519"},
        ed25519_jwk(bytes(32)), RFC_8037 | {"x": RFC_8037["x"] + "="}, RFC_8037 | {"x": b64(b"x")},
    ):  # fmt: skip
        with pytest.raises(KeyTextError):
            thumbprint(jwk)
