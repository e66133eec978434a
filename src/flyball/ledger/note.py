"""Who signed this text, and when?

C2SP signed-note: a text, a blank line, and one line per signature with the key's name and id.
Two types of key: 0x01 signs the text (logs), 0x04 is a witness's timestamped cosignature/v1 (C2SP
tlog-cosignature). Lines of unknown keys are ignored, which is what lets keys rotate.
"""

import re
from base64 import b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from flyball.signing.ed25519 import KEY_BYTES, SignatureError, check_key, verify

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = 0x01
COSIGNATURE = 0x04
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 64  # the specification asks for 16 at least
_TIME_BYTES = 8
_TIME_MAX = 2**63 - 1
_NAME = re.compile(r"[^\s+]+")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteError(ValueError):
    """The text is not a note, a key is not one, or no trusted signature holds."""


class VerifierKey(Struct, frozen=True):
    """A public key in the form `<name>+<id hex>+<base64 of type and key>` (C2SP signed-note)."""

    name: str
    public: bytes
    kind: int = ED25519

    @property
    def id(self) -> bytes:
        """First 4 bytes of SHA-256(name || LF || type || key)."""
        typed = bytes([self.kind]) + self.public
        return sha256(self.name.encode() + b"\n" + typed).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Raises NoteError if it is no Ed25519 key, its id is wrong, or the point is weak."""
        name, claimed, kind, material = _parse_key(text.strip().split("+", 2), "a verifier key")
        try:
            check_key(material)
        except SignatureError:
            raise NoteError(f"the key of {name} is not canonical or of small order") from None
        key = cls(name, material, kind)
        _check_id(key, claimed)
        return key

    def text(self) -> str:
        """The key as one line, to be handed to those who verify."""
        typed = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{typed}"


class Signed(Struct, frozen=True):
    """A signature that holds: whose, its line, and for a cosignature when (Unix s), else -1."""

    key: VerifierKey
    line: str
    at: int = -1


class Note(Struct, frozen=True):
    """A text and the signatures on it that hold under known keys."""

    text: str
    signed: tuple[Signed, ...]


class Signer:
    """Signs note texts under one name with one Ed25519 key, as a log or as a witness."""

    def __init__(self, name: str, private: "Ed25519PrivateKey", kind: int = ED25519) -> None:
        _check_name(name)
        self._private = private
        self.key = VerifierKey(name, private.public_key().public_bytes_raw(), kind)

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read `PRIVATE+KEY+<name>+<id>+<base64>`; NoteError if it is not that."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        parts = text.strip().split("+", 4)
        if parts[:2] != ["PRIVATE", "KEY"]:
            raise NoteError("a signing key begins with PRIVATE+KEY+")
        name, claimed, kind, seed = _parse_key(parts[2:], "a signing key")
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed), kind)
        _check_id(signer.key, claimed)
        return signer

    def private_text(self) -> str:
        """The signing key as one line: keep it where nobody else reads."""
        typed = b64encode(bytes([self.key.kind]) + self._private.private_bytes_raw()).decode()
        return f"PRIVATE+KEY+{self.key.name}+{self.key.id.hex()}+{typed}"

    def sign(self, message: bytes) -> bytes:
        """The bare Ed25519 signature (64 bytes), for forms other than notes."""
        return self._private.sign(message)

    def line(self, text: str, at: int = 0) -> str:
        """The signature line over `text`; a witness's one says that it was made at `at` (Unix s).

        Raises NoteError if `text` does not end in a newline or holds control characters.
        """
        _check_text(text)
        if self.key.kind == COSIGNATURE:
            stamp = at.to_bytes(_TIME_BYTES, "big")
            signature = stamp + self._private.sign(cosigned_message(text, at))
        else:
            signature = self._private.sign(text.encode())
        return f"— {self.key.name} {b64encode(self.key.id + signature).decode()}\n"


def sign_note(text: str, signers: Sequence[Signer], at: int = 0) -> str:
    """The signed note over `text`, which ends in a newline; several signers, e.g. old and new."""
    return f"{text}\n" + "".join(signer.line(text, at) for signer in signers)


def cosigned_message(text: str, at: int) -> bytes:
    """What a witness signs over a checkpoint's text (tlog-cosignature, Ed25519 signed message)."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def read_note(note: str, keys: Sequence[VerifierKey]) -> Note:
    """The note with all signatures of `keys` on it, of which there may be none.

    Raises NoteError if it is no note, or if a line that claims one of the keys does not hold.
    """
    text, lines = split_note(note)
    known = {(key.name, key.id): key for key in keys}
    signed: dict[VerifierKey, Signed] = {}
    for line in lines:
        name, raw = _parse_line(line)
        key = known.get((name, raw[:4]))
        if key is not None:
            signed.setdefault(key, Signed(key, f"{line}\n", _check_signature(key, raw[4:], text)))
    return Note(text, tuple(signed.values()))


def verify_note(note: str, keys: Sequence[VerifierKey]) -> Note:
    """As `read_note`; raises NoteError also if none of `keys` signed."""
    found = read_note(note, keys)
    if not found.signed:
        raise NoteError("no trusted key signed this")
    return found


def split_note(note: str) -> tuple[str, list[str]]:
    """Text and signature lines; NoteError if that is no note. The last blank line parts them."""
    if len(note) > NOTE_BYTES_MAX:
        raise NoteError(f"the note is longer than {NOTE_BYTES_MAX} bytes")
    if not note.endswith("\n"):
        raise NoteError("the note does not end in a newline")
    head, blank, tail = note.rpartition("\n\n")
    if not blank:
        raise NoteError("the note has no blank line before its signatures")
    _check_text(head + "\n")
    lines = tail.split("\n")[:-1]
    if len(lines) > SIGNATURES_MAX:
        raise NoteError(f"the note has more than {SIGNATURES_MAX} signatures")
    return head + "\n", lines


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise NoteError(f"a key's name has no spaces and no plus sign: {name!r}")


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError("a note's text ends in a newline")
    if _CONTROL.search(text):
        raise NoteError("a note holds no control characters but newlines")


def _check_signature(key: VerifierKey, signature: bytes, text: str) -> int:
    """The time of a cosignature, -1 of a plain signature; NoteError if it does not hold."""
    at, message = -1, text.encode()
    if key.kind == COSIGNATURE:
        at, signature = int.from_bytes(signature[:_TIME_BYTES], "big"), signature[_TIME_BYTES:]
        if at > _TIME_MAX:
            raise NoteError(f"the cosignature of {key.name} has no possible time")
        message = cosigned_message(text, at)
    try:
        verify(key.public, signature, message)
    except SignatureError as error:
        raise NoteError(f"the signature of {key.name} does not hold: {error}") from None
    return at


def _parse_line(line: str) -> tuple[str, bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise NoteError(f"not a signature line: {line!r}")
    raw = decode_base64(match[2], "a signature")
    if len(raw) < 5:
        raise NoteError(f"a signature of {len(raw)} bytes has no key id and body")
    return match[1], raw


def _parse_key(parts: list[str], noun: str) -> tuple[str, str, int, bytes]:
    if len(parts) != 3 or not parts[0]:
        raise NoteError(f"{noun} is not of the form <name>+<id>+<base64>")
    _check_name(parts[0])
    raw = decode_base64(parts[2], noun)
    if len(raw) != 1 + KEY_BYTES or raw[0] not in (ED25519, COSIGNATURE):
        raise NoteError(f"{noun} is not an Ed25519 key of {KEY_BYTES} bytes")
    return parts[0], parts[1], raw[0], raw[1:]


def _check_id(key: VerifierKey, claimed: str) -> None:
    if key.id.hex() != claimed:
        raise NoteError(f"the key of {key.name} has the id {key.id.hex()}, not {claimed}")


def decode_base64(text: str, noun: str) -> bytes:
    """The bytes of canonical base64; NoteError naming `noun` for anything else."""
    try:
        raw = a2b_base64(text, strict_mode=True)
    except ValueError:  # also binascii.Error
        raise NoteError(f"{noun} is not base64: {text!r}") from None
    if b2a_base64(raw, newline=False).decode() != text:
        raise NoteError(f"{noun} is not canonical base64: {text!r}")
    return raw
