"""Are signed notes and cosignatures those of C2SP, byte for byte, and are false ones refused?"""

from base64 import b64encode
from hashlib import sha256

import pytest

from flyball.ledger.note import (
    COSIGNATURE,
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    NoteError,
    Signer,
    VerifierKey,
    read_note,
    sign_note,
    split_note,
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
# Made by Node's crypto from the seeds 01.., 02.., 03..: a log's signature and two cosignatures.
LOG = "log.example/eu+7a4d3c30+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
W1 = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
W2 = "witness.example/w2+bfff2874+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR"
W1_PRIVATE = "PRIVATE+KEY+witness.example/w1+df1c0a35+BAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC"
COSIGNED = """log.example/eu
10
HA5HAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

— log.example/eu ek08MNivhv9B9gqL+CGr2GzKrmdZ2kZl5qoPyOWQrLtjSU8e5YjHwIpe2wxXUW7dxi4erF/MzpYY6xIV\
BcV3TpcEPgM=
— witness.example/w1 3xwKNQAAAABpHmaA/IIo9SPXdBkFFEHPx9eQ/hjkz2Xy7BmQofNjlk4IGegrRUBnFZDWKgj/sf6n\
iXGl7wz1FhPbPN555M8oVYl9DQ==
— witness.example/w2 v/8odAAAAABpHmaB+chu+u33yOWg3VzCjxJJSQSqQ8HFwQt0l5Gj5ZW0+Jw0tVt72KSf0lm3iimz\
oUVk4e76hhFjNftI8KT17aa1BQ==
"""


def test_the_published_note_is_made_byte_for_byte() -> None:
    assert sign_note(TEXT, [Signer.parse(PRIVATE)]) == NOTE


def test_the_published_note_holds_and_a_changed_one_does_not() -> None:
    key = VerifierKey.parse(PUBLIC)
    assert verify_note(NOTE, [key]).text == TEXT
    with pytest.raises(NoteError, match="does not hold"):
        verify_note(NOTE.replace("cryptography", "cryptographY"), [key])


def test_the_key_is_written_as_it_was_read() -> None:
    assert VerifierKey.parse(PUBLIC).text() == PUBLIC == Signer.parse(PRIVATE).key.text()


def test_signatures_of_strangers_are_ignored_but_do_not_count() -> None:
    key = VerifierKey.parse(PUBLIC)
    stranger = "— someone.example " + b64encode(b"\0" * 68).decode() + "\n"
    assert verify_note(NOTE + stranger, [key]).text == TEXT
    with pytest.raises(NoteError, match="no trusted key"):
        verify_note(TEXT + "\n" + stranger, [key])
    with pytest.raises(NoteError, match="no trusted key"):
        verify_note(TEXT + "\n", [key])
    with pytest.raises(NoteError, match="not a signature line"):
        verify_note(NOTE + "hello\n", [key])


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
    with pytest.raises(NoteError, match=cause):
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
    with pytest.raises(NoteError, match="not canonical or of small order"):
        VerifierKey.parse(f"evil+{identity}+{b64encode(material).decode()}")


def test_a_signing_key_says_what_it_is() -> None:
    with pytest.raises(NoteError, match=r"PRIVATE\+KEY"):
        Signer.parse(PUBLIC)
    with pytest.raises(NoteError, match="no spaces"):
        Signer.parse(PRIVATE.replace("PeterNeumann", "Peter Neumann"))


def test_cosignatures_hold_and_tell_when() -> None:
    keys = [VerifierKey.parse(text) for text in (LOG, W1, W2)]
    found = verify_note(COSIGNED, keys)
    assert [one.key for one in found.signed] == keys
    assert [one.at for one in found.signed] == [-1, 1_763_600_000, 1_763_600_001]
    assert found.text + "\n" + "".join(one.line for one in found.signed) == COSIGNED


def test_a_cosignature_is_made_byte_for_byte() -> None:
    signer = Signer.parse(W1_PRIVATE)
    assert signer.private_text() == W1_PRIVATE
    assert signer.key.text() == W1
    text, lines = split_note(COSIGNED)
    assert signer.line(text, 1_763_600_000) == lines[1] + "\n"


def test_a_cosignature_with_another_time_does_not_hold() -> None:
    key = VerifierKey.parse(W1)
    text, lines = split_note(COSIGNED)
    other = Signer.parse(W1_PRIVATE).line(text, 1_763_600_000).replace("aHmaA", "aHmaB", 1)
    with pytest.raises(NoteError, match="does not hold"):
        verify_note(f"{text}\n{lines[1].replace('pHmaA', 'pHmaB')}\n", [key])
    assert verify_note(f"{text}\n{other}", [key]).signed[0].at == 1_763_600_000


def test_a_cosigner_key_is_not_a_log_key_of_the_same_bytes() -> None:
    """The id tells the types apart, so a cosignature can't pass as a log's signature."""
    signer = Signer.parse(W1_PRIVATE)
    as_log = VerifierKey(signer.key.name, signer.key.public)
    assert signer.key.kind == COSIGNATURE
    assert read_note(COSIGNED, [as_log]).signed == ()


def test_old_and_new_key_sign_side_by_side() -> None:
    old, new = Signer.parse(PRIVATE), fresh("PeterNeumann", 7)
    note = sign_note(TEXT, [old, new])
    for keys in ([old.key], [new.key], [old.key, new.key]):
        assert [one.key for one in verify_note(note, keys).signed] == keys


def fresh(name: str, seed: int, kind: int = 1) -> Signer:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), kind)


def test_a_name_or_an_id_alone_is_a_stranger() -> None:
    key, other = Signer.parse(PRIVATE), fresh("PeterNeumann", 7)
    note = sign_note(TEXT, [key, other])
    assert [one.key for one in verify_note(note, [key.key]).signed] == [key.key]
    renamed = note.replace("— PeterNeumann", "— PeterNewman", 1)
    assert [one.key for one in read_note(renamed, [key.key, other.key]).signed] == [other.key]


def test_one_false_signature_of_a_known_key_condemns_the_note() -> None:
    key, other = Signer.parse(PRIVATE), fresh("other", 7)
    note = sign_note(TEXT, [key]) + other.line("something else\n")
    assert verify_note(note, [key.key]).signed
    with pytest.raises(NoteError, match="signature of other does not hold"):
        verify_note(note, [key.key, other.key])


def test_sixteen_signatures_are_taken_and_too_many_are_not() -> None:
    signers = [fresh(f"s{number}", number + 1) for number in range(SIGNATURES_MAX + 1)]
    keys = [signer.key for signer in signers]
    assert len(verify_note(sign_note(TEXT, signers[:16]), keys).signed) == 16
    with pytest.raises(NoteError, match="more than 64 signatures"):
        verify_note(sign_note(TEXT, signers), keys)


@pytest.mark.parametrize(
    ("note", "cause"),
    [
        ("", "newline"),
        ("text\n", "no blank line"),
        (NOTE[:-1], "newline"),
        (NOTE.replace("problem,", "problem,\r"), "control"),
        (NOTE.replace("problem,", "problem,\t"), "control"),
        (NOTE.replace("— ", "- "), "not a signature line"),
        (NOTE.replace("— PeterNeumann ", "— Peter Neumann "), "not a signature line"),
        (NOTE.replace("— PeterNeumann ", "— Peter\u2003Neumann "), "not a signature line"),
        (NOTE.replace("JnAM=", "JnAN="), "canonical base64"),
        (TEXT + "\n— a AAAAAA==\n", "4 bytes"),
        ("x" * NOTE_BYTES_MAX + NOTE, "longer"),
    ],
)
def test_what_is_no_note_is_named(note: str, cause: str) -> None:
    with pytest.raises(NoteError, match=cause):
        verify_note(note, [VerifierKey.parse(PUBLIC)])


def test_a_line_separator_of_unicode_ends_no_line() -> None:
    signer = Signer.parse(PRIVATE)
    text = "one\u2028two\u0085three\n"
    assert verify_note(sign_note(text, [signer]), [signer.key]).text == text


def test_only_a_whole_text_can_be_signed() -> None:
    with pytest.raises(NoteError, match="newline"):
        Signer.parse(PRIVATE).line("no newline")


def test_a_time_beyond_the_possible_is_refused() -> None:
    signer = Signer.parse(W1_PRIVATE)
    with pytest.raises(NoteError, match="no possible time"):
        verify_note(sign_note(TEXT, [signer], 2**63), [signer.key])
