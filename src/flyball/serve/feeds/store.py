"""How are the lines of a feed kept, so that no kill loses one that was told to anybody?

One append-only file, a line per entry, synced before `append` returns. A tail without its newline
was never told and is cut off when the file is opened; any other damage is an error.
"""

import os
from array import array
from collections.abc import Iterator
from pathlib import Path

from flyball.serve.log.wal import sync_folder, write_all
from flyball.units import Bytes

ENTRIES_MAX = 1_000_000
READ_BYTES: Bytes = 1 << 16


class StoreError(OSError):
    """The file cannot take more; the message says why and what to do."""


class FeedStore:
    """The file of one feed, open for appending. OSError if it cannot be had."""

    def __init__(self, path: Path, entries_max: int = ENTRIES_MAX) -> None:
        self.path = path
        self._entries_max = entries_max
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._ends = array("Q")
        self.torn_bytes = self._index()

    @property
    def count(self) -> int:
        """Entries that are kept; the last one's sequence number."""
        return len(self._ends)

    def append(self, lines: list[bytes]) -> None:
        """Keep them, durably. OSError leaves the file as it was: nothing is kept, call again."""
        if self.count + len(lines) > self._entries_max:
            raise StoreError(f"{self.path} is full: it holds {self.count} entries")
        start = self._ends[-1] if self._ends else 0
        try:
            write_all(self._file, b"".join(line + b"\n" for line in lines), start)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, start)
            raise
        for line in lines:
            start += len(line) + 1
            self._ends.append(start)

    def read(self, after: int, bytes_max: Bytes = READ_BYTES) -> list[bytes]:
        """Lines that follow entry `after`, whole ones, about `bytes_max` bytes; [] = there are none
        yet."""
        if after >= self.count:
            return []
        start = self._ends[after - 1] if after else 0
        last = after + 1
        while last < self.count and self._ends[last] - start <= bytes_max:
            last += 1
        data = os.pread(self._file, self._ends[last - 1] - start, start)
        return data.split(b"\n")[:-1]

    def lines(self) -> Iterator[bytes]:
        """All of them, read in pieces."""
        after = 0
        while found := self.read(after):
            yield from found
            after += len(found)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _index(self) -> Bytes:
        """Find where lines end; cut off a tail that has no end, and say how long it was."""
        place, end = 0, 0
        while piece := os.pread(self._file, 1 << 20, place):
            at = piece.find(b"\n")
            while at >= 0:
                end = place + at + 1
                self._ends.append(end)
                at = piece.find(b"\n", at + 1)
            place += len(piece)
        if place > end:
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        sync_folder(self.path.parent)
        return place - end
