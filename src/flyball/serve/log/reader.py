"""What stands in a log folder, also while a gateway writes it: by index, by id, newest first?

Sealed entries come from full bundles, which never change; newer ones from the write-ahead segments,
or from the partial bundle where a log was copied without them. A reader sees the log as it was at
`refresh`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec
from msgspec import Struct

from flyball.ledger.checkpoint import Checkpoint, CheckpointError, parse, parse_size
from flyball.ledger.note import NoteError
from flyball.ledger.record import RecordError, decode, is_about
from flyball.ledger.tiles import ENTRIES, TILE_WIDTH, Read, tile_path
from flyball.ledger.verify import Inclusion, prove_entry
from flyball.model.decision import Record
from flyball.serve.log.wal import Run, frames, segment_path, segment_starts
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds, seconds_from_ms

# A request's records stand near its arrival: this much before (unlike clocks) and after (the answer
# and its retries). Outside of it the whole log is searched.
SLACK_S: Seconds = 5.0
STORY_S: Seconds = 300.0
_TIMED_ID = re.compile(r"[a-z]+_([0-9a-f]{11})")
# Entries below the index in this file were pruned after their retention.
MINIMUM = "minimum"
_REFRESH_TRIES = 8
_NEAR_RUNS = 8


class Found(Struct, frozen=True):
    """A record and its index in the log."""

    index: int
    record: Record


class _Stamp(Struct):
    id: str = ""
    at: Seconds = 0.0


_stamp = msgspec.json.Decoder(_Stamp)


def open_log(folder: Path) -> "LogReader":
    """Raises LedgerError if there is no log there, naming the next step."""
    files_in(folder)
    return LogReader(folder)


def files_in(folder: Path) -> Read:
    """The files of a log by their paths within it; LedgerError as in `open_log`."""
    if not (folder / "checkpoint").is_file():
        raise LedgerError(
            f"There is no log in {folder}. Name the folder with --log; "
            "`flyball serve` writes it to `ledger` beside the fleet file unless told otherwise."
        )

    def read(path: str) -> bytes | None:
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError:
            return None

    return read


def minimum_in(read: Read) -> int:
    """The first index that was not pruned; LedgerError if the file that tells cannot be read."""
    raw = read(MINIMUM)
    try:
        return parse_size((raw or b"0\n").decode().removesuffix("\n"))
    except (NoteError, UnicodeDecodeError):
        raise LedgerError(f"The file {MINIMUM} of the log holds no index: {raw!r}.") from None


class LogReader:
    """One log folder, read only. Raises LedgerError where a file that must be there is not.

    `read` gives a file of the log, or None.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.read = files_in(folder)
        self.checkpoint = Checkpoint("", 0, b"")
        self.minimum = 0
        self.refresh()

    def refresh(self) -> None:
        """See what was written since."""
        for _ in range(_REFRESH_TRIES):
            self.checkpoint = self._checkpoint()
            self.minimum = minimum_in(self.read)
            try:
                self._sealed, self._tail = self._load_tail()
            except FileNotFoundError:  # a segment was sealed between the look and the reading
                continue
            self.size = self._sealed + sum(len(run.entries()) for run in self._tail)
            return
        raise LedgerError(
            f"The log in {self._folder} changes faster than it can be read; try again."
        )

    def runs(self, start: int = 0) -> Iterator[Run]:
        """Runs of entries, oldest first, from the one that holds index `start`."""
        for index in range(max(start, self.minimum) // TILE_WIDTH, self._sealed // TILE_WIDTH):
            yield self._bundle(index)
        yield from (run for run in self._tail if run.first + len(run.entries()) > start)

    def runs_back(self, end: int | None = None) -> Iterator[Run]:
        """Runs of entries, newest first, from the one that holds index `end` - 1."""
        limit = self.size if end is None else end
        yield from (run for run in reversed(self._tail) if run.first < limit)
        last = min(self._sealed, limit + TILE_WIDTH - 1) // TILE_WIDTH - 1
        for index in range(last, self.minimum // TILE_WIDTH - 1, -1):
            yield self._bundle(index)

    def records(self, start: int = 0) -> Iterator[Found]:
        """Records from index `start` on; RecordError at one that this version does not know."""
        for run in self.runs(start):
            for index, entry in enumerate(run.entries(), run.first):
                if index >= start:
                    yield Found(index, decode(entry))

    def since(self, at: Seconds) -> Iterator[Found]:
        """Records from about `at` (Unix seconds) on."""
        return self.records(self.index_at(at - SLACK_S))

    def index_at(self, at: Seconds) -> int:
        """First index of the last full bundle that begins before `at` (binary search)."""
        low, high = self.minimum // TILE_WIDTH, self._sealed // TILE_WIDTH
        while low < high:
            middle = (low + high) // 2
            if _at_of(self._bundle(middle)) < at:
                low = middle + 1
            else:
                high = middle
        return max(self.minimum // TILE_WIDTH, low - 1) * TILE_WIDTH

    def rare(self, kinds: Sequence[str]) -> Iterator[Found]:
        """All records of these kinds, oldest first: nothing else is decoded."""
        needles = tuple(b'{"kind":"%s"' % kind.encode() for kind in kinds)
        for run in self.runs():
            if not any(needle in run.raw for needle in needles):
                continue
            for index, entry in enumerate(run.entries(), run.first):
                record = _known(entry) if entry.startswith(needles) else None
                if record is not None:
                    yield Found(index, record)

    def find(self, record_id: str) -> list[Found]:
        """All records of this id, and those of retries whose lineage it is, oldest first.

        An id that carries its time (a word, an underscore and 11 hex digits of Unix milliseconds)
        is looked for near that time first.
        """
        needle = msgspec.json.encode(record_id)
        timed = _TIMED_ID.match(record_id)
        if timed:
            at = seconds_from_ms(int(timed[1], 16))
            found = list(self._scan(needle, record_id, self.index_at(at - SLACK_S), at + STORY_S))
            if any(is_about(item.record, record_id) for item in found):
                return found
        return list(self._scan(needle, record_id, 0, float("inf")))

    def find_before(self, record_id: str, index: int) -> Found | None:
        """The last record of this id before `index`, or None."""
        needle = msgspec.json.encode(record_id)
        for run in self.runs_back(index):
            if needle not in run.raw:
                continue
            for place, entry in reversed(list(enumerate(run.entries(), run.first))):
                record = _known(entry) if place < index and needle in entry else None
                if record and record.id == record_id:
                    return Found(place, record)
        return None

    def newest(self, wanted: Callable[[Record], bool]) -> Found | None:
        """The newest record that `wanted` says yes to, or None."""
        for run in self.runs_back():
            for place, entry in reversed(list(enumerate(run.entries(), run.first))):
                record = _known(entry)
                if record is not None and wanted(record):
                    return Found(place, record)
        return None

    def near(self, record_id: str, count: int = 3) -> list[str]:
        """Ids in the log that look most like this one, among those near its time and the newest."""
        ids: dict[str, None] = {}
        timed = _TIMED_ID.match(record_id)
        if timed:
            start = self.index_at(seconds_from_ms(int(timed[1], 16)) - SLACK_S)
            for run, _ in zip(self.runs(start), range(_NEAR_RUNS), strict=False):
                ids.update(dict.fromkeys(map(_id_of, run.entries())))
        for run, _ in zip(self.runs_back(), range(_NEAR_RUNS), strict=False):
            ids.update(dict.fromkeys(map(_id_of, reversed(run.entries()))))
        begins = [known for known in ids if known.startswith(record_id)]
        return (begins or get_close_matches(record_id, ids, n=count, cutoff=0.6))[:count]

    def prove(self, found: Found) -> Inclusion | None:
        """The verified proof of a record under the checkpoint; None if it is newer than that.

        Raises ProofError or TileError if the stored files do not lead to the checkpoint.
        """
        if found.index >= self.checkpoint.size:
            return None
        run = next(self.runs(found.index))
        entry = run.entries()[found.index - run.first]
        return prove_entry(found.index, entry, self.checkpoint, self.read)

    # -- within -----------------------------------------------------------------------------------

    def _scan(self, needle: bytes, record_id: str, start: int, until: Seconds) -> Iterator[Found]:
        for run in self.runs(start):
            if needle not in run.raw:
                if until != float("inf") and _at_of(run) > until:
                    return
                continue
            for index, entry in enumerate(run.entries(), run.first):
                record = _known(entry) if needle in entry else None
                if record is None:
                    continue
                if is_about(record, record_id) or getattr(record, "lineage", "") == record_id:
                    until = max(until, record.at + STORY_S)
                    yield Found(index, record)

    def _bundle(self, index: int) -> Run:
        path = tile_path(ENTRIES, index)
        raw = self.read(path)
        if raw is None:
            raise LedgerError(f"The log in {self._folder} is damaged: {path} is absent.")
        return Run(index * TILE_WIDTH, raw)

    def _checkpoint(self) -> Checkpoint:
        try:
            return parse((self.read("checkpoint") or b"").decode(errors="replace"))
        except CheckpointError as error:
            raise LedgerError(
                f"The checkpoint in {self._folder} cannot be read: {error}."
            ) from None

    def _load_tail(self) -> tuple[int, list[Run]]:
        starts = segment_starts(self._folder)
        if not starts:
            return self._copied_tail()
        tail: list[Run] = []
        for first in starts:
            tail += frames(segment_path(self._folder, first).read_bytes(), first)[0]
        return starts[0], tail

    def _copied_tail(self) -> tuple[int, list[Run]]:
        sealed, width = divmod(self.checkpoint.size, TILE_WIDTH)
        if not width:
            return sealed * TILE_WIDTH, []
        raw = self.read(tile_path(ENTRIES, sealed, width))
        if raw is None:
            raise FileNotFoundError(tile_path(ENTRIES, sealed, width))
        return sealed * TILE_WIDTH, [Run(sealed * TILE_WIDTH, raw)]


def _at_of(run: Run) -> Seconds:
    length = int.from_bytes(run.raw[:2], "big")
    return _stamp_of(run.raw[2 : 2 + length]).at


def _id_of(entry: bytes) -> str:
    return _stamp_of(entry).id


def _stamp_of(entry: bytes) -> _Stamp:
    try:
        return _stamp.decode(entry)
    except (msgspec.DecodeError, UnicodeDecodeError):  # a damaged entry: finding the others goes on
        return _Stamp()


def _known(entry: bytes) -> Record | None:
    try:
        return decode(entry)
    except RecordError:
        return None
