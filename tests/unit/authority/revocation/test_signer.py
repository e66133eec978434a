"""Are keys read and written in one spelling, and does a signature hold for its label alone?"""

import pytest

from flyball.authority.revocation.signer import (
    KeyTextError,
    Signer,
    base64url,
    check_signature,
    key_text,
    read_base64url,
    read_key,
)
from flyball.signing.ed25519 import SignatureError
from support.oversight import ADA


def test_a_key_file_is_read_as_it_was_written() -> None:
    again = Signer.parse(ADA.private_text() + "\n")
    assert (again.name, again.public) == ("ada", ADA.public)
    assert read_key(key_text(ADA.public)) == ADA.public
    assert Signer.new("x").public != Signer.new("x").public


@pytest.mark.parametrize(
    "text",
    ["", "flyball-key ada", "flyball-key ada ed25519:AAAA", "other ada ed25519:" + "A" * 43,
     "flyball-key a/b ed25519:" + "A" * 43],
)  # fmt: skip
def test_what_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(KeyTextError) as told:
        Signer.parse(text)
    assert "AAAA" not in str(told.value)


@pytest.mark.parametrize("weak", [b"\x01" + bytes(31), b"\xff" * 32, bytes(32)])
def test_weak_keys_are_refused(weak: bytes) -> None:
    with pytest.raises(KeyTextError):
        read_key(key_text(weak))


@pytest.mark.parametrize("text", ["A", "AAB", "AA==", "A A", "é"])
def test_base64url_has_one_right_spelling(text: str) -> None:
    with pytest.raises(KeyTextError):
        read_base64url(text)
    assert read_base64url(base64url(b"abc")) == b"abc"


def test_a_signature_holds_for_its_label_and_message_alone() -> None:
    said = ADA.sign("one", b"message")
    check_signature(ADA.public, "one", b"message", said)
    for label, message in (("two", b"message"), ("one", b"massage")):
        with pytest.raises(SignatureError):
            check_signature(ADA.public, label, message, said)
    assert ADA.jwt({"a": 1}, "t").count(".") == 2
