"""Are checkpoints and signed notes those of C2SP, byte for byte, and are false ones refused?"""

from base64 import b64encode
from hashlib import sha256

import pytest

from flyball.ledger.checkpoint import (
    Checkpoint,
    CheckpointError,
    Signer,
    VerifierKey,
    parse,
    verify_note,
)

# The published example of golang.org/x/mod/sumdb/note. Ed25519 is deterministic, so signing must
# give the very same note.
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
NOTE = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdn"
    "gotpRZb6KE6RyyBwJnAM=\n"
)
# The example of C2SP tlog-checkpoint.
EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1g\
GzGku9nTo+zyWE+xeMcTOAYQ8=
"""


def test_the_published_note_is_made_byte_for_byte() -> None:
    assert Signer.parse(PRIVATE).sign(TEXT) == NOTE


def test_the_published_note_holds_and_a_changed_one_does_not() -> None:
    key = VerifierKey.parse(PUBLIC)
    assert verify_note(NOTE, [key]) == TEXT
    with pytest.raises(CheckpointError, match="does not hold"):
        verify_note(NOTE.replace("cryptography", "cryptographY"), [key])


def test_the_key_is_written_as_it_was_read() -> None:
    assert VerifierKey.parse(PUBLIC).text() == PUBLIC == Signer.parse(PRIVATE).key.text()


def test_signatures_of_strangers_are_ignored_but_do_not_count() -> None:
    key = VerifierKey.parse(PUBLIC)
    stranger = "— someone.example " + b64encode(b"\0" * 68).decode() + "\n"
    assert verify_note(NOTE + stranger, [key]) == TEXT
    with pytest.raises(CheckpointError, match="no trusted key"):
        verify_note(TEXT + "\n" + stranger, [key])
    with pytest.raises(CheckpointError, match="no trusted key"):
        verify_note(TEXT + "\n", [key])
    with pytest.raises(CheckpointError, match="not a signature line"):
        verify_note(NOTE + "hello\n", [key])


def test_the_example_checkpoint() -> None:
    found = parse(EXAMPLE)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert found.text() == EXAMPLE.split("\n\n")[0] + "\n"
    assert parse(found.text()) == found


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "three lines"),
        ("a\n1\n", "three lines"),
        ("\n1\nx\n", "three lines"),
        ("a\n01\nx\n", "not a decimal"),
        ("a\n-1\nx\n", "not a decimal"),
        ("a\n1\n!!\n", "not base64"),
        ("a\n1\nAAAA\n", "3 bytes"),
    ],
)
def test_what_is_no_checkpoint_is_named(text: str, cause: str) -> None:
    with pytest.raises(CheckpointError, match=cause):
        parse(text)


def test_the_root_must_be_canonical_base64() -> None:
    text = Checkpoint("a", 1, b"\xff" * 32).text()
    changed = text.replace("/8=", "/9=")
    assert changed != text
    with pytest.raises(CheckpointError, match="canonical"):
        parse(changed)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "not of the form"),
        ("PeterNeumann+c74f20a3", "not of the form"),
        (PUBLIC.replace("c74f20a3", "c74f20a4"), "has the id"),
        (PUBLIC.replace("+ARpc", "+AhRpc"), "Ed25519|base64"),
    ],
)
def test_what_is_no_key_is_named(text: str, cause: str) -> None:
    with pytest.raises(CheckpointError, match=cause):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    "point",
    [
        (2**255 - 19 + 3).to_bytes(32, "little"),  # y = 3, written a second way
        (1).to_bytes(32, "little"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ],
)
def test_weak_and_non_canonical_keys_are_refused(point: bytes) -> None:
    material = b"\x01" + point
    identity = sha256(b"evil\n" + material).digest()[:4].hex()
    with pytest.raises(CheckpointError, match="not canonical or of small order"):
        VerifierKey.parse(f"evil+{identity}+{b64encode(material).decode()}")


def test_a_signing_key_says_what_it_is() -> None:
    with pytest.raises(CheckpointError, match=r"PRIVATE\+KEY"):
        Signer.parse(PUBLIC)
    with pytest.raises(CheckpointError, match="no spaces"):
        Signer.parse(PRIVATE.replace("PeterNeumann", "Peter Neumann"))
