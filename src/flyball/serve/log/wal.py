"""How do records reach the disk before anything else is done with them?

The write-ahead folder holds segments named by the index of their first entry, a multiple of 256. A
segment is a row of frames; a frame is a header (magic, first index, entry count, body length,
CRC-32) and a body in the form of a tlog entry bundle. One frame is one batch: it counts once it is
synced.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from struct import Struct as Layout
from zlib import crc32

from flyball.ledger.tiles import pack, unpack

FOLDER = "wal"
_MAGIC = b"FBW1"
_HEADER = Layout(">4sQIII")


@dataclass(frozen=True)
class Run:
    """Consecutive entries from index `first` on, still packed as a bundle."""

    first: int
    raw: bytes

    def entries(self) -> list[bytes]:
        """The entries; TileError if the bundle is cut short."""
        return unpack(self.raw)


class Segment:
    """One write-ahead file, open for appending at `bytes_synced`; `first` names it."""

    def __init__(self, folder: Path, first: int, bytes_synced: int = 0) -> None:
        self.path = segment_path(folder, first)
        self.first = first
        self.bytes_synced = bytes_synced
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        os.ftruncate(self._file, bytes_synced)
        os.fsync(self._file)
        sync_folder(self.path.parent)

    def append(self, first: int, entries: list[bytes]) -> None:
        """Write one frame and sync it. OSError leaves the segment as it was: call again.

        A retry writes the same place again, also after a failed sync, since the kernel may have
        dropped the pages that it could not write.
        """
        data = frame(first, entries)
        write_all(self._file, data, self.bytes_synced)
        os.fdatasync(self._file)
        self.bytes_synced += len(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def frame(first: int, entries: list[bytes]) -> bytes:
    """The bytes of one batch whose first entry has the index `first`."""
    body = pack(entries)
    check = crc32(body, crc32(_HEADER.pack(_MAGIC, first, len(entries), len(body), 0)))
    return _HEADER.pack(_MAGIC, first, len(entries), len(body), check) + body


def frames(raw: bytes, first: int) -> tuple[list[Run], int, int]:
    """The whole frames of a segment that begins at index `first`.

    Returns the runs, the index after the last entry, and the bytes they take; what follows those
    bytes is a torn tail.
    """
    runs: list[Run] = []
    place, index = 0, first
    while (found := _frame_at(raw, place)) is not None and found[0].first == index:
        runs.append(found[0])
        index += found[1]
        place += _HEADER.size + len(found[0].raw)
    return runs, index, place


def holds_frame(raw: bytes, place: int) -> bool:
    """Whether a whole frame stands anywhere after `place`: then what is there is damaged, not torn,
    since a frame is written only after the one before it was synced."""
    while (place := raw.find(_MAGIC, place + 1)) >= 0:
        if _frame_at(raw, place) is not None:
            return True
    return False


def _frame_at(raw: bytes, place: int) -> tuple[Run, int] | None:
    if place + _HEADER.size > len(raw):
        return None
    magic, first, count, length, check = _HEADER.unpack_from(raw, place)
    start = place + _HEADER.size
    body = raw[start : start + length]
    head = _HEADER.pack(_MAGIC, first, count, length, 0)
    if magic != _MAGIC or len(body) != length or crc32(body, crc32(head)) != check:
        return None
    return Run(first, body), count


def segment_path(folder: Path, first: int) -> Path:
    """Where the segment that begins at index `first` stands."""
    return folder / FOLDER / f"{first:016d}"


def segment_starts(folder: Path) -> list[int]:
    """The first indices of the segments there, ascending; empty if there is no such folder."""
    try:
        names = os.listdir(folder / FOLDER)
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if name.isdigit())


def write_all(file: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`; OSError if the disk takes no more."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
