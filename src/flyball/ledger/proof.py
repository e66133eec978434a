"""How is one record proven to somebody who has neither the log nor a network?

The text form is C2SP tlog-proof: the record's index, the hashes from its sibling to the root, and
the cosigned checkpoint. At 10^9 records that is 30 hashes, about 1.4 kB, and the signatures.
"""

from base64 import b64encode

from msgspec import Struct

from flyball.ledger.checkpoint import CheckpointError, parse, parse_size
from flyball.ledger.note import NoteError, decode_base64
from flyball.ledger.tiles import (
    ENTRIES,
    TILE_WIDTH,
    Read,
    TileError,
    stored_subtree,
    tile_path,
    unpack,
)
from flyball.ledger.tree import (
    HASH_BYTES,
    ProofError,
    consistency_proof,
    inclusion_proof,
    verify_inclusion,
)
from flyball.ledger.trust import Judged, Trust, judge

HEADER = "c2sp.org/tlog-proof@v1"
HASHES_MAX = 63


class LoggedProof(Struct, frozen=True):
    """That an entry stands at `index` under the checkpoint `note`; `extra` is not authenticated."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes = b""

    def text(self) -> str:
        """The `.tlog-proof` file."""
        extra = f"extra {b64encode(self.extra).decode()}\n" if self.extra else ""
        return f"{HEADER}\n{extra}index {self.index}\n{hash_lines(self.hashes)}\n{self.note}"

    def verify(self, leaf: bytes, trust: Trust) -> Judged:
        """The checkpoint, once the leaf hash leads to it and it is signed as `trust` demands.

        Raises NoteError if the signatures or the quorum are wanting, ProofError if the hashes do
        not lead from the leaf to the root.
        """
        found = judge(self.note, trust)
        if not found.has_quorum:
            raise NoteError(f"the quorum is not met: {trust.rule()} must cosign")
        claimed = found.checkpoint
        verify_inclusion(self.index, claimed.size, leaf, self.hashes, claimed.root)
        return found


def prove(index: int, note: str, read: Read) -> LoggedProof:
    """The proof of entry `index` under the checkpoint `note`, made of the log's tiles alone.

    Raises CheckpointError if that is none, TileError if a tile is absent, ValueError if the entry
    is not under it.
    """
    size = parse(note).size
    return LoggedProof(index, tuple(inclusion_proof(index, size, stored_subtree(size, read))), note)


def entry_at(index: int, size: int, read: Read) -> bytes:
    """The bytes of entry `index` in a log of `size`; TileError if its bundle is absent or short."""
    number, place = divmod(index, TILE_WIDTH)
    width = min(TILE_WIDTH, size - number * TILE_WIDTH)
    path = tile_path(ENTRIES, number, width)
    entries = unpack(read(path) or read(tile_path(ENTRIES, number)) or b"")
    if place >= len(entries):
        raise TileError(f"{path} is absent or too short")
    return entries[place]


def growth(old_size: int, size: int, read: Read) -> tuple[bytes, ...]:
    """The proof that the tree of `size` extends the one of `old_size`, made of the tiles alone.

    Raises TileError if a tile is absent, ValueError unless 0 <= old_size <= size.
    """
    return tuple(consistency_proof(old_size, size, stored_subtree(size, read)))


def parse_proof(text: str) -> LoggedProof:
    """Read a `.tlog-proof` file without judging it. Raises ProofError naming what is wrong."""
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != HEADER:
        raise ProofError(f"a proof begins with {HEADER} and holds a checkpoint after a blank line")
    try:
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "), "the extra data")
        if not lines or not lines[0].startswith("index "):
            raise ProofError("the proof has no index")
        index = parse_size(lines.pop(0).removeprefix("index "))
        hashes = parse_hashes(lines)
    except CheckpointError as error:
        raise ProofError(f"the index: {error}") from None
    except NoteError as error:
        raise ProofError(str(error)) from None
    return LoggedProof(index, hashes, note, extra)


def hash_lines(hashes: tuple[bytes, ...]) -> str:
    """Hashes in base64, each on a line."""
    return "".join(f"{b64encode(one).decode()}\n" for one in hashes)


def parse_hashes(lines: list[str]) -> tuple[bytes, ...]:
    """The hashes of such lines; ProofError if they are too many or not of 32 bytes."""
    if len(lines) > HASHES_MAX:
        raise ProofError(f"a proof has at most {HASHES_MAX} hashes, not {len(lines)}")
    found = tuple(decode_base64(line, "a hash") for line in lines)
    if any(len(one) != HASH_BYTES for one in found):
        raise ProofError(f"a hash of a proof does not have {HASH_BYTES} bytes")
    return found
