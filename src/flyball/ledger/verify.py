"""Is the log what its checkpoint claims, and does it tell each request's story exactly once?

Everything is recomputed from the public files (bundles, tiles, checkpoint), read through a function
that is passed in. Problems come back as plain sentences; at most PROBLEMS_MAX are kept.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from flyball.ledger.checkpoint import (
    Checkpoint,
    CheckpointError,
    VerifierKey,
    parse,
    verify_note,
)
from flyball.ledger.record import RecordError, decode
from flyball.ledger.tiles import (
    ENTRIES,
    TILE_WIDTH,
    OpenTiles,
    Read,
    TileError,
    read_tile,
    stored_subtree,
    tile_path,
    unpack,
)
from flyball.ledger.tree import inclusion_proof, leaf_hash, verify_inclusion
from flyball.model.decision import Intent, Outcome, Record
from flyball.units import Seconds

PROBLEMS_MAX = 100
# How far apart the clocks of two gateway workers may be, and how late an outcome may be recorded.
CLOCK_SLACK_S: Seconds = 5.0
OUTCOME_SLACK_S: Seconds = 60.0


class Report(Struct, frozen=True):
    """What a whole-log check found. `open_intents` = ids without an outcome yet (not a problem)."""

    size: int
    root: bytes
    problems: tuple[str, ...]
    problems_count: int
    open_intents: tuple[str, ...]
    is_signed: bool

    @property
    def is_sound(self) -> bool:
        """Whether nothing at all was found wrong."""
        return not self.problems_count


class Inclusion(Struct, frozen=True):
    """An entry's place in the tree of a checkpoint, with the proof (siblings, nearest first)."""

    index: int
    checkpoint: Checkpoint
    leaf: bytes
    proof: tuple[bytes, ...]


class Completeness:
    """Checks that each intent has one outcome after it, as records pass by in their order."""

    def __init__(self) -> None:
        self.open: dict[str, Intent] = {}
        self._closed: set[str] = set()
        self._newest_at: Seconds = float("-inf")

    def add(self, index: int, record: Record) -> str:
        """Take the next record; the problem with it as a sentence, or ""."""
        self._newest_at = max(self._newest_at, record.at)
        if isinstance(record, Intent):
            return self._add_intent(index, record)
        if isinstance(record, Outcome):
            return self._add_outcome(index, record)
        return ""

    def _add_intent(self, index: int, intent: Intent) -> str:
        before = self.open.get(intent.id)
        self.open[intent.id] = intent
        if intent.id in self._closed:
            return f"Entry {index}: an intent for {intent.id} follows its outcome."
        if before is not None and intent.attempt <= before.attempt:
            return (
                f"Entry {index}: attempt {intent.attempt} of {intent.id} follows attempt "
                f"{before.attempt}."
            )
        return ""

    def _add_outcome(self, index: int, outcome: Outcome) -> str:
        intent = self.open.pop(outcome.id, None)
        if outcome.id in self._closed:
            return f"Entry {index}: a second outcome for {outcome.id}."
        self._closed.add(outcome.id)
        if intent is None and outcome.outcome == "served":
            return f"Entry {index}: {outcome.id} was served without an intent before it."
        if intent is not None and outcome.at < intent.at - CLOCK_SLACK_S:
            back_s = intent.at - outcome.at
            return (
                f"Entry {index}: the outcome of {outcome.id} is {back_s:.1f} s before its intent."
            )
        return ""

    def overdue(self) -> list[str]:
        """Sentences for intents whose outcome is missing long after their deadline."""
        return [
            f"{intent.id} has an intent but no outcome, "
            f"{self._newest_at - intent.deadline_at:.0f} s after its deadline."
            for intent in self.open.values()
            if intent.deadline_at + OUTCOME_SLACK_S < self._newest_at
        ]


def unsettled(records: Iterable[Record]) -> list[Intent]:
    """The last intent of each request that has no outcome among `records`, oldest first.

    After a kill these are the requests whose end nobody saw: the driver closes them as "lost".
    """
    story = Completeness()
    for index, record in enumerate(records):
        story.add(index, record)
    return list(story.open.values())


def check_log(read: Read, keys: Sequence[VerifierKey] = ()) -> Report:
    """Rehash every entry, recompute every tile and the root, and check each request's story.

    Raises CheckpointError if there is no checkpoint to check against, or it cannot be read; a
    signature that does not hold under `keys` is a problem like others.
    """
    note = _text(read("checkpoint"))
    claimed = parse(note)
    check = _LogCheck(read, claimed)
    if keys:
        check.signature(note, keys)
    for index in range(-(-claimed.size // TILE_WIDTH)):
        check.bundle(index)
    return check.finish(is_signed=bool(keys))


class _LogCheck:
    def __init__(self, read: Read, claimed: Checkpoint) -> None:
        self._read = read
        self._claimed = claimed
        self._tiles = OpenTiles()
        self._story = Completeness()
        self._problems: list[str] = []
        self._count = 0

    def note(self, problem: str) -> None:
        self._count += 1
        if len(self._problems) < PROBLEMS_MAX:
            self._problems.append(problem)

    def signature(self, note: str, keys: Sequence[VerifierKey]) -> None:
        try:
            verify_note(note, keys)
        except CheckpointError as error:
            self.note(f"The checkpoint: {error}.")

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
        if kept is None:
            self.note(f"The tile {path} is absent.")
        elif kept != tile:
            self.note(f"The tile {path} does not follow from the tiles below it.")

    def _record(self, index: int, entry: bytes) -> None:
        try:
            problem = self._story.add(index, decode(entry))
        except RecordError as error:
            problem = f"Entry {index} is {error}."
        if problem:
            self.note(problem)

    def finish(self, is_signed: bool) -> Report:
        for path, tile in self._tiles.partial_tiles():
            self._compare(path, tile)
        if self._tiles.root() != self._claimed.root:
            self.note(
                f"The tiles give the root {self._tiles.root().hex()}, the checkpoint claims "
                f"{self._claimed.root.hex()}."
            )
        for problem in self._story.overdue():
            self.note(problem)
        return Report(
            size=self._claimed.size,
            root=self._claimed.root,
            problems=tuple(self._problems),
            problems_count=self._count,
            open_intents=tuple(self._story.open),
            is_signed=is_signed,
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
    return raw.decode(errors="replace")
