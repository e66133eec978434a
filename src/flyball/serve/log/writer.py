"""In which order are entries made durable, hashed into tiles and claimed by a checkpoint?

Write-ahead frame and fdatasync (now the entries are acknowledged) -> bundles and tiles ->
checkpoint by atomic rename -> a full segment is sealed: the file system is synced and the segment
removed. A kill between any two steps is repaired on the next opening, which plays the remaining
segments again. Every step may raise OSError and is then called again as it was: nothing advances
half way.
"""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flyball.ledger.checkpoint import Checkpoint, CheckpointError, parse, parse_size
from flyball.ledger.note import NoteError, Signer, sign_note
from flyball.ledger.tiles import (
    ENTRIES,
    TILE_WIDTH,
    OpenTiles,
    TileError,
    open_tiles,
    pack,
    tile_path,
)
from flyball.ledger.tree import leaf_hash
from flyball.serve.log.seal import Sealer, sync_file_system
from flyball.serve.log.wal import (
    FOLDER,
    Run,
    Segment,
    frames,
    holds_frame,
    segment_path,
    segment_starts,
    sync_folder,
    write_all,
)

# The writer's thread shares the interpreter with the event loop: it lets go after so many hashes
# (about 0.1 ms), where the interpreter itself would let go after 5 ms.
HASHES_PER_TURN = 64


class LedgerError(Exception):
    """The log cannot be opened: the message names the folder, the cause and the next step."""


class Recovery(NamedTuple):
    """What was found on opening: entries in all, of them replayed, bytes of a torn tail dropped."""

    size: int
    replayed: int
    torn_bytes: int


class LogWriter:
    """Writes one log folder. Not thread-safe: one thread calls it, and one process may hold it.

    `size` entries are durable; `checkpoint_size` of them stand under the checkpoint.
    """

    def __init__(
        self,
        folder: Path,
        *,
        origin: str,
        signers: Sequence[Signer] = (),
        segment_entries_max: int = 32_768,
        segment_bytes_max: int = 32 << 20,
    ) -> None:
        self._folder = folder
        self._origin = origin
        self._signers = signers
        self._segment_entries_max = segment_entries_max
        self._segment_bytes_max = segment_bytes_max
        self._bundle: list[bytes] = []
        self._files: list[tuple[str, bytes]] = []
        self._segment: Segment
        self._tiles = OpenTiles()
        self.checkpoint_size = -1
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        self.recovery = self._recover()
        self._sealer = Sealer(folder)

    @property
    def size(self) -> int:
        """Entries in the log, all of them durable."""
        return self._tiles.size

    def room(self, wanted: int) -> int:
        """How many entries the next `commit` may take, so that segments begin on a bundle."""
        short = -self.size % TILE_WIDTH
        return min(wanted, short) if short and self._is_segment_full() else wanted

    def commit(self, entries: list[bytes]) -> None:
        """Make entries durable. OSError: none of them counts, call again with the same ones."""
        if self.size % TILE_WIDTH == 0 and self._is_segment_full() and self._sealer.has_room():
            self._rotate()
        self._segment.append(self.size, entries)

    def absorb(self, entries: list[bytes]) -> None:
        """Hash entries just committed; the full tiles wait in memory for `flush`."""
        for start in range(0, len(entries), HASHES_PER_TURN):
            for entry in entries[start : start + HASHES_PER_TURN]:
                self._take(entry)
            time.sleep(0)

    def flush(self) -> None:
        """Write the full bundles and tiles that wait. OSError: call again."""
        while self._files:
            path, data = self._files[0]
            self._write_file(path, data)
            del self._files[0]

    def checkpoint(self) -> None:
        """Claim all entries: partial tiles, then the note in place of the old one."""
        self.flush()
        if self.size == self.checkpoint_size:
            return
        width = self.size % TILE_WIDTH
        if width:
            path = tile_path(ENTRIES, self.size // TILE_WIDTH, width)
            self._write_file(path, pack(self._bundle))
        for path, data in self._tiles.partial_tiles():
            self._write_file(path, data)
        text = Checkpoint(self._origin, self.size, self._tiles.root()).text()
        note = sign_note(text, self._signers) if self._signers else text
        self._write_file("checkpoint", note.encode(), is_durable=True)
        self.checkpoint_size = self.size

    def close(self) -> None:
        """Close the files; what is committed stays, checkpoint or not."""
        self._sealer.close()
        self._segment.close()

    def _take(self, entry: bytes) -> None:
        self._bundle.append(entry)
        closed = self._tiles.append(leaf_hash(entry))
        if closed:
            index = self.size // TILE_WIDTH - 1
            self._files.append((tile_path(ENTRIES, index), pack(self._bundle)))
            self._files += closed
            self._bundle = []

    def _is_segment_full(self) -> bool:
        return (
            self.size - self._segment.first >= self._segment_entries_max
            or self._segment.bytes_synced >= self._segment_bytes_max
        )

    def _rotate(self) -> None:
        self.checkpoint()
        full, self._segment = self._segment, Segment(self._folder, self.size)
        full.close()
        self._sealer.seal(full.path)

    # -- recovery ---------------------------------------------------------------------------------

    def _recover(self) -> Recovery:
        claimed = self._claimed()
        starts = segment_starts(self._folder)
        if not starts:
            if claimed is not None and claimed.size:
                raise self._damaged(f"the folder {FOLDER} is empty")
            starts = [0]
        try:
            self._tiles = open_tiles(starts[0], self._read, self._minimum())
        except (TileError, ValueError) as error:
            raise self._damaged(str(error)) from None
        end, place, torn = starts[0], 0, 0
        for first in starts:
            if first != end or torn:
                raise self._damaged(f"{segment_path(self._folder, first)} does not follow on")
            raw = self._read(f"{FOLDER}/{first:016d}") or b""
            runs, end, place = frames(raw, first)
            torn = len(raw) - place
            if holds_frame(raw, place):
                raise self._damaged(f"{segment_path(self._folder, first)} changed at byte {place}")
            self._replay(runs, claimed)
        if claimed is not None and claimed.size > end:
            raise self._damaged(f"its checkpoint claims {claimed.size} entries, {end} are there")
        self._segment = Segment(self._folder, starts[-1], place)
        self._settle()
        if starts[1:]:  # a kill came before they were sealed
            sync_file_system(self._folder)
        for first in starts[:-1]:
            os.unlink(segment_path(self._folder, first))
        return Recovery(self.size, self.size - starts[0], torn)

    def _replay(self, runs: list[Run], claimed: Checkpoint | None) -> None:
        for run in runs:
            for entry in run.entries():
                self._hold_against(claimed)
                self._take(entry)
        self._hold_against(claimed)

    def _hold_against(self, claimed: Checkpoint | None) -> None:
        if claimed is not None and claimed.size == self.size and claimed.root != self._tiles.root():
            raise self._damaged("its entries do not give the root of its checkpoint")

    def _settle(self) -> None:
        """Write again the full files that a kill left absent or short, then claim what is there."""
        self._files = [(path, data) for path, data in self._files if self._read(path) != data]
        self.checkpoint()

    def _minimum(self) -> int:
        """Below it, entries were pruned: the file is written before the first of them goes."""
        raw = self._read("minimum")
        try:
            return parse_size((raw or b"0\n").decode().removesuffix("\n"))
        except (NoteError, UnicodeDecodeError):
            raise self._damaged("its file of the pruned entries holds no index") from None

    def _claimed(self) -> Checkpoint | None:
        raw = self._read("checkpoint")
        if raw is None:
            return None
        try:
            claimed = parse(raw.decode())
        except (CheckpointError, UnicodeDecodeError) as error:
            raise self._damaged(f"its checkpoint cannot be read: {error}") from None
        if claimed.origin != self._origin:
            raise LedgerError(
                f"The log in {self._folder} belongs to {claimed.origin!r}, not {self._origin!r}. "
                "Name another folder for this log."
            )
        return claimed

    def _damaged(self, cause: str) -> LedgerError:
        return LedgerError(
            f"The log in {self._folder} is damaged: {cause}. "
            "Move the folder away (it is evidence: keep it) and start again with an empty one."
        )

    # -- files ------------------------------------------------------------------------------------

    def _read(self, path: str) -> bytes | None:
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None

    def _write_file(self, path: str, data: bytes, is_durable: bool = False) -> None:
        """Put a file in its place whole: readers of an older checkpoint may be looking at it."""
        fresh, target = f"{self._folder}/new", f"{self._folder}/{path}"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            write_all(file, data, 0)
            if is_durable:
                os.fsync(file)
        finally:
            os.close(file)
        try:
            os.replace(fresh, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(fresh, target)
        if is_durable:
            sync_folder(self._folder)
        if os.path.isdir(target + ".p"):  # the full tile has taken the place of its partial ones
            shutil.rmtree(target + ".p", ignore_errors=True)
