"""What does the log claim to hold, and who signed that claim?

A checkpoint is the C2SP tlog-checkpoint text (origin, size, root); with a key it becomes a C2SP
signed note with an Ed25519 signature. `cryptography` is imported only where a key is used.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from flyball.ledger.tree import HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = 0x01
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_P = 2**255 - 19
# y of the points whose order divides 8: a signature under such a key binds to no message.
_SMALL_ORDER_Y = frozenset(
    {0, 1, _P - 1}
    | {
        int.from_bytes(bytes.fromhex(point), "little") & (2**255 - 1)
        for point in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        )
    }
)


class CheckpointError(ValueError):
    """The text is not a checkpoint, a key is not one, or no trusted signature holds."""


class Checkpoint(Struct, frozen=True):
    """A log's claim: under this origin stand `size` entries with this 32-byte root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note text: origin, size, root in base64, each on a line."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class VerifierKey(Struct, frozen=True):
    """A public key in the form `<name>+<id hex>+<base64 of type and key>` (C2SP signed-note)."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """First 4 bytes of SHA-256(name || LF || type || key)."""
        return _key_id(self.name, self.public)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Raises CheckpointError if it is no Ed25519 key, its id is wrong, or the point is weak."""
        name, material = _parse_key(text.strip().split("+", 2), "a verifier key")
        y = int.from_bytes(material, "little") & (2**255 - 1)
        if y >= _P or y in _SMALL_ORDER_Y:
            raise CheckpointError(f"the key of {name} is not canonical or of small order")
        key = cls(name, material)
        _check_id(key.id, text.strip().split("+", 2)[1], name)
        return key

    def text(self) -> str:
        """The key as one line, to be handed to those who verify."""
        return f"{self.name}+{self.id.hex()}+{_typed(self.public)}"


class Signer:
    """Signs note texts under one name with one Ed25519 key."""

    def __init__(self, name: str, private: "Ed25519PrivateKey") -> None:
        if not name or re.search(r"[\s+]", name):
            raise CheckpointError(f"a key's name has no spaces and no plus sign: {name!r}")
        self._private = private
        self.key = VerifierKey(name, private.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read `PRIVATE+KEY+<name>+<id>+<base64>`; CheckpointError if it is not that."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        parts = text.strip().split("+", 4)
        if parts[:2] != ["PRIVATE", "KEY"]:
            raise CheckpointError("a signing key begins with PRIVATE+KEY+")
        name, seed = _parse_key(parts[2:], "a signing key")
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        _check_id(signer.key.id, parts[3], name)
        return signer

    def sign(self, text: str) -> str:
        """The signed note over `text`, which ends in a newline."""
        signature = self.key.id + self._private.sign(text.encode())
        return f"{text}\n— {self.key.name} {b64encode(signature).decode()}\n"


def parse(note: str) -> Checkpoint:
    """Read a checkpoint, signed or not, without judging its signatures.

    Raises CheckpointError naming what is wrong.
    """
    lines = note.split("\n\n", 1)[0].rstrip("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        raise CheckpointError("a checkpoint has at least three lines: origin, size, root")
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise CheckpointError(f"the size {lines[1]!r} is not a decimal number")
    root = _decode(lines[2], "the root")
    if len(root) != HASH_BYTES:
        raise CheckpointError(f"the root has {len(root)} bytes, not {HASH_BYTES}")
    return Checkpoint(lines[0], int(lines[1]), root)


def verify_note(note: str, keys: Sequence[VerifierKey]) -> str:
    """The text of a note that at least one of `keys` signed; other signature lines are ignored.

    Raises CheckpointError if none did, or if a line that claims one of the keys does not hold.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text, _, tail = note.rpartition("\n\n")
    text += "\n"
    signed = 0
    for line in tail.splitlines():
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise CheckpointError(f"not a signature line: {line!r}")
        raw = _decode(match[2], "a signature")
        for key in keys:
            if match[1] != key.name or raw[:4] != key.id:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(raw[4:], text.encode())
            except InvalidSignature:
                raise CheckpointError(f"the signature of {key.name} does not hold") from None
            signed += 1
    if not signed:
        raise CheckpointError("no trusted key signed this")
    return text


def _parse_key(parts: list[str], noun: str) -> tuple[str, bytes]:
    if len(parts) != 3 or not parts[0]:
        raise CheckpointError(f"{noun} is not of the form <name>+<id>+<base64>")
    raw = _decode(parts[2], noun)
    if len(raw) != 1 + HASH_BYTES or raw[0] != ED25519:
        raise CheckpointError(f"{noun} is not an Ed25519 key of 32 bytes")
    return parts[0], raw[1:]


def _check_id(found: bytes, claimed: str, name: str) -> None:
    if found.hex() != claimed:
        raise CheckpointError(f"the key of {name} has the id {found.hex()}, not {claimed}")


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([ED25519]) + public).digest()[:4]


def _typed(material: bytes) -> str:
    return b64encode(bytes([ED25519]) + material).decode()


def _decode(text: str, noun: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise CheckpointError(f"{noun} is not base64: {text!r}") from None
    if b64encode(raw).decode() != text:
        raise CheckpointError(f"{noun} is not canonical base64: {text!r}")
    return raw
