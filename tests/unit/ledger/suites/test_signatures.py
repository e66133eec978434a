"""Are Wycheproof's and the edge cases' layouts read, and a verifier too lax or too strict found?"""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.ledger.suites import signatures
from flyball.ledger.suites.cases import Case, Folder
from flyball.ledger.suites.signatures import edge_cases, wycheproof_cases

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32)
KEY = PRIVATE.public_key().public_bytes_raw().hex()
GOOD = PRIVATE.sign(b"Test").hex()
MESSAGE = b"Test".hex()
IDENTITY = "01" + "00" * 31


def judged(suite, document: object) -> list[Case]:
    raw = json.dumps(document).encode()
    return list(suite(Folder(("a.json",), lambda path: raw)))


def wycheproof(*tests: dict[str, object], curve: str = "edwards25519") -> dict[str, object]:
    group = {"publicKey": {"curve": curve, "pk": KEY}, "tests": list(tests)}
    return {"algorithm": "EDDSA", "testGroups": [group]}


def test(number: int, signature: str, result: str) -> dict[str, object]:
    return {"tcId": number, "comment": "c", "msg": MESSAGE, "sig": signature, "result": result}


test.__test__ = False  # type: ignore[attr-defined]


def test_wycheproof() -> None:
    tests = [
        test(1, GOOD, "valid"),
        test(2, GOOD[:-2], "invalid"),
        test(3, GOOD + "00", "invalid"),
        test(4, "", "invalid"),
        test(5, "00" * 64, "invalid"),
        test(6, GOOD, "acceptable"),
    ]
    cases = judged(wycheproof_cases, wycheproof(*tests))
    assert [case.problem for case in cases] == [""] * 6
    assert cases[0].name == "a.json: 1 c"


def test_wycheproof_cases_that_are_wrong_are_told() -> None:
    cases = judged(wycheproof_cases, wycheproof(test(1, GOOD, "invalid"), test(2, "00", "valid")))
    assert cases[0].problem == "accepted, but it is not valid"
    assert cases[1].problem.startswith("refused, but it is valid")


def test_other_curves_and_algorithms_are_left_out() -> None:
    assert judged(wycheproof_cases, wycheproof(test(1, GOOD, "valid"), curve="edwards448")) == []
    assert judged(wycheproof_cases, {"algorithm": "AES-GCM", "testGroups": [{"tests": []}]}) == []
    assert judged(wycheproof_cases, [1]) == []


EDGES = [
    {"message": MESSAGE, "pub_key": KEY, "signature": GOOD},
    {"message": MESSAGE, "pub_key": IDENTITY, "signature": IDENTITY + "00" * 32},
    {"message": MESSAGE, "pub_key": KEY, "signature": IDENTITY + "00" * 32},
]
FLAGGED = [
    {"number": 7, "key": KEY, "sig": GOOD, "msg": "Test", "flags": None},
    {"number": 8, "key": IDENTITY, "sig": IDENTITY + "00" * 32, "msg": "Test",
     "flags": ["low_order_A", "low_order_R"]},
]  # fmt: skip


@pytest.mark.parametrize("document", [EDGES, FLAGGED])
def test_edge_cases_pass_with_the_strict_verifier(document: list[dict[str, object]]) -> None:
    cases = judged(edge_cases, document)
    assert len(cases) == len(document)
    assert [case for case in cases if case.problem] == []


def test_a_lax_verifier_fails_edge_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL's own, which takes the identity as a key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    def lax(public: bytes, signature: bytes, message: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature as error:
            raise ValueError from error

    monkeypatch.setattr(signatures, "verify", lax)
    assert judged(edge_cases, EDGES)[1].problem == "accepted, but it is not valid"


def test_flags_that_forbid_what_holds_are_told() -> None:
    (case,) = judged(edge_cases, [FLAGGED[0] | {"flags": ["non_canonical_R"]}])
    assert "flags forbid" in case.problem
