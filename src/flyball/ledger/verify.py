"""Is the log what its checkpoint claims, and does it tell each request's story exactly once?

Everything is recomputed from the public files (bundles, tiles, checkpoint), read through a function
that is passed in. Problems come back as plain sentences; at most PROBLEMS_MAX are kept.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from flyball.ledger.checkpoint import Checkpoint, CheckpointError, parse
from flyball.ledger.note import NoteError
from flyball.ledger.proof import growth
from flyball.ledger.record import RecordError, decode, is_about
from flyball.ledger.story import Completeness
from flyball.ledger.tiles import (
    ENTRIES,
    TILE_WIDTH,
    OpenTiles,
    Read,
    TileError,
    edge_within,
    read_tile,
    stored_subtree,
    tile_path,
    unpack,
)
from flyball.ledger.tree import (
    EMPTY_ROOT,
    ProofError,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from flyball.ledger.trust import NO_QUORUM, Judged, Trust, judge

# The newest checkpoint that a quorum of witnesses cosigned stands beside the newest of all.
COSIGNED = "checkpoint.cosigned"
PROBLEMS_MAX = 100


class Inclusion(Struct, frozen=True):
    """An entry's place in the tree of a checkpoint, with the proof (siblings, nearest first)."""

    index: int
    checkpoint: Checkpoint
    leaf: bytes
    proof: tuple[bytes, ...]


class Report(Struct, frozen=True):
    """What a whole-log check found. `open_intents` = ids without an outcome yet (not a problem).

    `signed`: the newest checkpoint with the signatures on it that hold, None where no keys were
    given or none holds; `cosigned`: the one that met the quorum; `found`: id -> its entries.
    """

    origin: str
    size: int
    root: bytes
    problems: tuple[str, ...]
    problems_count: int
    open_intents: tuple[str, ...]
    signed: Judged | None = None
    cosigned: Judged | None = None
    found: dict[str, tuple[Inclusion, ...]] = {}

    @property
    def is_sound(self) -> bool:
        """Whether nothing at all was found wrong."""
        return not self.problems_count


def check_log(
    read: Read,
    trust: Trust | None = None,
    *,
    older: Sequence[str] = (),
    record_ids: Sequence[str] = (),
    pruned_below: int = 0,
) -> Report:
    """Rehash every entry, recompute every tile and the root, and check each request's story.

    With `trust`, the checkpoint must be signed and the quorum met by it or by COSIGNED, which the
    log must extend. `older`: notes that the caller kept; the log must extend them too. `record_ids`
    must stand in the log. Entries below `pruned_below`, rounded down to a whole tile, may be gone:
    that is for the caller to say, never for the log.

    Raises CheckpointError if there is no checkpoint to check against, or it cannot be read, and
    TileError if what stands over pruned entries is absent; all else that is wrong is a problem.
    """
    cosigned = read(COSIGNED)  # before the newest, which is then not older than it
    note = _text(read("checkpoint"))
    claimed = parse(note)
    start = min(pruned_below, claimed.size) // TILE_WIDTH * TILE_WIDTH
    check = _LogCheck(read, claimed, start, record_ids)
    if trust is not None:
        check.signatures(note, cosigned, trust)
    for kept in older:
        check.kept(kept, trust)
    for index in range(start // TILE_WIDTH, -(-claimed.size // TILE_WIDTH)):
        check.bundle(index)
    return check.finish()


class _LogCheck:
    def __init__(
        self, read: Read, claimed: Checkpoint, start: int, record_ids: Sequence[str]
    ) -> None:
        self._read = read
        self._claimed = claimed
        self._tiles = edge_within(start, claimed.size, read) if start else OpenTiles()
        self._story = Completeness(is_cut=start > 0)
        self._wanted: dict[str, list[tuple[int, bytes]]] = {name: [] for name in record_ids}
        self._needles = {name: msgspec.json.encode(name) for name in record_ids}
        self._signed: Judged | None = None
        self._cosigned: Judged | None = None
        self._problems: list[str] = []
        self._count = 0

    def note(self, problem: str) -> None:
        self._count += 1
        if len(self._problems) < PROBLEMS_MAX:
            self._problems.append(problem)

    def signatures(self, note: str, cosigned: bytes | None, trust: Trust) -> None:
        try:
            self._signed = judge(note, trust)
            if self._signed.has_quorum and trust.quorum != NO_QUORUM:
                self._cosigned = self._signed
        except NoteError as error:
            self.note(f"The checkpoint: {error}.")
        if cosigned is not None:
            self._cosigned_apart(cosigned, trust)
        if self._cosigned is None and trust.quorum != NO_QUORUM:
            self.note(f"No checkpoint met the quorum: {trust.rule()} must cosign.")

    def _cosigned_apart(self, raw: bytes, trust: Trust) -> None:
        try:
            found = judge(_text(raw), trust)
        except NoteError as error:
            self.note(f"{COSIGNED}: {error}.")
            return
        self._extends(found.checkpoint, f"the one in {COSIGNED}")
        if found.has_quorum and self._cosigned is None:
            self._cosigned = found

    def kept(self, note: str, trust: Trust | None) -> None:
        """Hold a checkpoint that the caller kept from earlier against the log."""
        try:
            old = judge(note, trust).checkpoint if trust is not None else parse(note)
        except NoteError as error:
            self.note(f"The older checkpoint: {error}.")
            return
        self._extends(old, "the older checkpoint")

    def _extends(self, old: Checkpoint, noun: str) -> None:
        new = self._claimed
        if old.origin != new.origin:
            self.note(f"The log is {new.origin!r}, {noun} is of {old.origin!r}.")
        elif old.size > new.size:
            self.note(f"The log was rolled back: it has {new.size} entries, {noun} has {old.size}.")
        elif old.size == 0 and old.root == EMPTY_ROOT:
            return
        else:
            self._grew(old, noun)

    def _grew(self, old: Checkpoint, noun: str) -> None:
        new = self._claimed
        try:
            proof = growth(old.size, new.size, self._read)
            verify_consistency(old.size, new.size, proof, old.root, new.root)
        except TileError as error:
            self.note(f"Whether the log extends {noun} cannot be shown: {error}.")
        except ProofError:
            self.note(
                f"The log was forked: its {new.size} entries do not extend {noun} of {old.size}."
            )

    def bundle(self, index: int) -> None:
        width = min(TILE_WIDTH, self._claimed.size - index * TILE_WIDTH)
        path = tile_path(ENTRIES, index, width)
        entries = self._entries(index, width, path)
        hashes = [leaf_hash(entry) for entry in entries] if entries is not None else None
        stored = self._stored_hashes(index, width)
        if hashes is not None and stored is not None:
            for place, (found, kept) in enumerate(zip(hashes, stored, strict=True)):
                if found != kept:
                    self.note(
                        f"Entry {index * TILE_WIDTH + place} in {path}: its hash is not the one "
                        f"in {tile_path(0, index, width)}."
                    )
        self._grow(stored or hashes or [])
        for place, entry in enumerate(entries or []):
            self._record(index * TILE_WIDTH + place, entry)

    def _entries(self, index: int, width: int, path: str) -> list[bytes] | None:
        raw = self._read(path)
        if raw is None and width != TILE_WIDTH:
            raw = self._read(tile_path(ENTRIES, index))
        if raw is None:
            self.note(f"The bundle {path} is absent.")
            return None
        try:
            entries = unpack(raw)
        except TileError as error:
            self.note(f"{path}: {error}.")
            return None
        if len(entries) < width:
            self.note(f"{path} holds {len(entries)} entries, not {width}.")
            return None
        return entries[:width]

    def _stored_hashes(self, index: int, width: int) -> list[bytes] | None:
        try:
            return read_tile(self._read, 0, index, width)
        except TileError as error:
            self.note(f"The tile {error}.")
            return None

    def _grow(self, hashes: list[bytes]) -> None:
        for found in hashes:
            for path, tile in self._tiles.append(found):
                self._compare(path, tile)

    def _compare(self, path: str, tile: bytes) -> None:
        """Level 0 was compared entry by entry; here it is only the levels above."""
        if path.startswith("tile/0/"):
            return
        kept = self._read(path)
        if kept is None and ".p/" in path:  # a gateway at work filled it: the full one stands in
            kept = (self._read(path.partition(".p/")[0]) or b"")[: len(tile)] or None
        if kept is None:
            self.note(f"The tile {path} is absent.")
        elif kept != tile:
            self.note(f"The tile {path} does not follow from the tiles below it.")

    def _record(self, index: int, entry: bytes) -> None:
        try:
            record = decode(entry)
        except RecordError as error:
            self.note(f"Entry {index} is {error}.")
            return
        if problem := self._story.add(index, record):
            self.note(problem)
        for name, found in self._wanted.items():
            if self._needles[name] in entry and is_about(record, name):
                found.append((index, entry))

    def _found(self) -> dict[str, tuple[Inclusion, ...]]:
        found: dict[str, tuple[Inclusion, ...]] = {}
        for name, entries in self._wanted.items():
            if not entries:
                self.note(f"No entry is about {name}.")
            try:
                found[name] = tuple(
                    prove_entry(index, entry, self._claimed, self._read) for index, entry in entries
                )
            except (ProofError, TileError) as error:
                self.note(f"{name} cannot be proven: {error}.")
        return found

    def finish(self) -> Report:
        for path, tile in self._tiles.partial_tiles():
            self._compare(path, tile)
        if self._tiles.root() != self._claimed.root:
            self.note(
                f"The tiles give the root {self._tiles.root().hex()}, the checkpoint claims "
                f"{self._claimed.root.hex()}."
            )
        for problem in self._story.overdue():
            self.note(problem)
        found = self._found()
        return Report(
            origin=self._claimed.origin,
            size=self._claimed.size,
            root=self._claimed.root,
            problems=tuple(self._problems),
            problems_count=self._count,
            open_intents=self._story.open_ids,
            signed=self._signed,
            cosigned=self._cosigned,
            found=found,
        )


def prove_entry(index: int, entry: bytes, claimed: Checkpoint, read: Read) -> Inclusion:
    """The proof that `entry` stands at `index` under `claimed`, verified before it is returned.

    Raises ProofError if the stored tiles do not lead from this entry to the claimed root, TileError
    if one is absent, ValueError if the index is not under the checkpoint.
    """
    proof = inclusion_proof(index, claimed.size, stored_subtree(claimed.size, read))
    leaf = leaf_hash(entry)
    verify_inclusion(index, claimed.size, leaf, proof, claimed.root)
    return Inclusion(index, claimed, leaf, tuple(proof))


def _text(raw: bytes | None) -> str:
    if raw is None:
        raise CheckpointError("there is no checkpoint")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise CheckpointError("it is not UTF-8") from None
