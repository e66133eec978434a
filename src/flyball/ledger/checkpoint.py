"""What does the log claim to hold?

A checkpoint is the C2SP tlog-checkpoint text (origin, size, root); who signed it is the matter of
`note`.
"""

import re
from base64 import b64encode

from msgspec import Struct

from flyball.ledger.note import NoteError, decode_base64
from flyball.ledger.tree import HASH_BYTES

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointError(NoteError):
    """The text is not a checkpoint."""


class Checkpoint(Struct, frozen=True):
    """A log's claim: under this origin stand `size` entries with this 32-byte root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note text: origin, size, root in base64, each on a line."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def parse(note: str) -> Checkpoint:
    """Read a checkpoint, signed or not, without judging its signatures.

    Lines after the third are opaque extensions and are not kept. Raises CheckpointError naming what
    is wrong.
    """
    head, blank, _ = note.rpartition("\n\n")
    lines = (head + "\n" if blank else note).split("\n")
    if lines.pop() or len(lines) < 3 or not all(lines):
        raise CheckpointError("a checkpoint has at least three lines: origin, size, root")
    try:
        size, root = parse_size(lines[1]), decode_base64(lines[2], "the root")
    except NoteError as error:
        raise CheckpointError(str(error)) from None
    if len(root) != HASH_BYTES:
        raise CheckpointError(f"the root has {len(root)} bytes, not {HASH_BYTES}")
    return Checkpoint(lines[0], size, root)


def parse_size(text: str) -> int:
    """A number of entries, in decimal without leading zeroes; CheckpointError if it is not that."""
    if not _SIZE.fullmatch(text):
        raise CheckpointError(f"the size {text!r} is not a decimal number")
    return int(text)
