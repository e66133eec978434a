"""Are envelopes signed as DSSE says, and is every other spelling refused?"""

import json
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.bundles.archive import BundleError
from flyball.authority.bundles.dsse import SIGNATURES_MAX, pae, seal, signed_by
from flyball.authority.revocation.signer import key_text
from support.bundles import ALICE, BOB, CAROL, person

KIND = "application/vnd.in-toto+json"
TEXT = b'{"a":1}'


def refused(envelope: bytes, payload: bytes = TEXT, kind: str = KIND) -> str:
    with pytest.raises(BundleError) as caught:
        signed_by(envelope, kind, payload)
    return f"{caught.value.code}: {caught.value}"


def changed(envelope: bytes, change) -> bytes:
    """Altered, and spelled canonically again."""
    found = json.loads(envelope)
    change(found)
    return json.dumps(found, separators=(",", ":"), sort_keys=True).encode()


def test_the_encoding_is_that_of_the_specification() -> None:
    # The example of DSSE's protocol.md.
    found = pae("http://example.com/HelloWorld", b"hello world")
    assert found == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("é", b"\xff") == b"DSSEv1 2 \xc3\xa9 1 \xff"


@given(st.text(max_size=20), st.binary(max_size=40), st.text(max_size=20), st.binary(max_size=40))
def test_no_two_things_have_one_encoding(kind: str, text: bytes, other: str, more: bytes) -> None:
    assert ((kind, text) == (other, more)) == (pae(kind, text) == pae(other, more))


def test_signatures_hold_by_other_means_too() -> None:
    found = json.loads(seal(KIND, TEXT, [ALICE]))
    assert set(found) == {"payload", "payloadType", "signatures"}
    assert b64decode(found["payload"]) == TEXT
    key = Ed25519PublicKey.from_public_bytes(ALICE.public)
    key.verify(b64decode(found["signatures"][0]["sig"]), pae(KIND, TEXT))


def test_signers_add_to_one_another_in_any_order() -> None:
    one = seal(KIND, TEXT, [BOB], seal(KIND, TEXT, [ALICE]))
    assert one == seal(KIND, TEXT, [ALICE, BOB])
    assert set(signed_by(one, KIND, TEXT)) == {key_text(ALICE.public), key_text(BOB.public)}


def test_nobody_signs_twice() -> None:
    with pytest.raises(BundleError) as caught:
        seal(KIND, TEXT, [ALICE], seal(KIND, TEXT, [ALICE]))
    assert caught.value.code == "signed_twice"
    twice = changed(seal(KIND, TEXT, [ALICE]), lambda e: e["signatures"].append(e["signatures"][0]))
    assert refused(twice).startswith("signed_twice: ")


def test_it_is_of_this_payload_and_type_alone() -> None:
    envelope = seal(KIND, TEXT, [ALICE])
    assert "of another bundle" in refused(envelope, b'{"a":2}')
    assert "of another bundle" in refused(envelope, TEXT, "text/plain")
    with pytest.raises(BundleError):
        seal(KIND, b"{}", [BOB], envelope)


def test_a_signature_of_another_key_or_payload_does_not_hold() -> None:
    envelope = seal(KIND, TEXT, [ALICE])
    other = seal(KIND, b"{}", [ALICE])

    def swap_key(found: dict) -> None:
        found["signatures"][0]["keyid"] = key_text(CAROL.public)

    def swap_signature(found: dict) -> None:
        found["signatures"][0]["sig"] = json.loads(other)["signatures"][0]["sig"]

    assert "is bad" in refused(changed(envelope, swap_key))
    assert "is bad" in refused(changed(envelope, swap_signature))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "alice",
        "ed25519:AAAA",
        "ed25519:" + "A" * 43,  # of small order
        "ed25519:7f___________________________________________"[:51],
    ],
)
def test_weak_and_odd_keys_are_refused(key: str) -> None:
    envelope = changed(
        seal(KIND, TEXT, [ALICE]), lambda e: e["signatures"][0].__setitem__("keyid", key)
    )
    assert refused(envelope).startswith("signature: ")


@pytest.mark.parametrize("sig", ["", "AA==", "!!!!", b64encode(b"\0" * 64).decode()])
def test_odd_signatures_are_refused(sig: str) -> None:
    envelope = changed(
        seal(KIND, TEXT, [ALICE]), lambda e: e["signatures"][0].__setitem__("sig", sig)
    )
    assert refused(envelope).startswith("signature: ")


def test_base64_has_one_spelling() -> None:
    envelope = seal(KIND, TEXT, [ALICE])
    sig = json.loads(envelope)["signatures"][0]["sig"]
    assert sig.endswith("==")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = sig[:-3] + digits[digits.index(sig[-3]) + 1] + "=="  # the same bytes to a lax reader
    assert b64decode(other) == b64decode(sig)
    odd = changed(envelope, lambda e: e["signatures"][0].__setitem__("sig", other))
    assert refused(odd).startswith("signature: ")


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"[" * 5000, b"\xff"])
def test_what_is_no_envelope_is_told_so(text: bytes) -> None:
    assert refused(text).startswith("signature: ")


def test_other_spellings_are_refused() -> None:
    envelope = seal(KIND, TEXT, [ALICE])
    assert "canonical" in refused(envelope + b"\n")
    assert "canonical" in refused(json.dumps(json.loads(envelope)).encode())
    assert "signature: " in refused(changed(envelope, lambda e: e.__setitem__("more", 1)))


def test_signatures_are_bounded_and_in_order() -> None:
    many = [person("p", number) for number in range(1, SIGNATURES_MAX + 2)]
    with pytest.raises(BundleError):
        seal(KIND, TEXT, many)
    both = seal(KIND, TEXT, [ALICE, BOB])
    assert "order" in refused(changed(both, lambda e: e["signatures"].reverse()))
