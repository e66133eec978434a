"""Is every file in a log's folder what the checked log says it must be?

`check_log` reads what the newest checkpoint needs. A folder holds more: partial tiles of earlier
checkpoints, the write-ahead segments, the cosigned checkpoint. Each of them must agree with it, and
a file that belongs to none of these is named.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from flyball.ledger.checkpoint import parse
from flyball.ledger.tiles import ENTRIES, TILE_WIDTH, TileError, tile_path, unpack, widths
from flyball.ledger.tree import HASH_BYTES
from flyball.ledger.verify import COSIGNED, PROBLEMS_MAX
from flyball.serve.log.wal import FOLDER, frames, holds_frame

# Written by the gateway beside the log, and no part of what it claims.
_BESIDE = re.compile(r"lock|new|\..*\.new|minimum")
_PARTIAL = re.compile(r"(tile/(\d+|entries)/(?:x\d{3}/)*\d{3})\.p/([1-9]\d{0,2})")
_FULL = re.compile(r"tile/(\d+|entries)/((?:x\d{3}/)*\d{3})")
_SEGMENT = re.compile(rf"{FOLDER}/(\d+)")


def audit_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Problems, and remarks that are none, as sentences; at most PROBLEMS_MAX problems.

    Run it after `check_log` on the same folder, which vouches for what it compares with. OSError if
    a file cannot be read.
    """
    problems: list[str] = []
    remarks: list[str] = []
    size = parse((folder / "checkpoint").read_bytes().decode()).size
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        if name in ("checkpoint", COSIGNED) or _BESIDE.fullmatch(name):
            continue
        try:
            found = list(_check(folder, name, path.read_bytes(), size))
        except FileNotFoundError:  # a gateway at work replaced or sealed it meanwhile
            continue
        except TileError as error:
            found = [(True, f"{name} has nothing sound to be compared with: {error}.")]
        remarks += [text for is_problem, text in found if not is_problem]
        problems += [text for is_problem, text in found if is_problem]
        if len(problems) >= PROBLEMS_MAX:
            break
    return problems[:PROBLEMS_MAX], remarks


def _files(folder: Path) -> Iterator[Path]:
    """All files below; folders that a gateway at work removes meanwhile are passed over."""

    def fault(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for base, _, names in os.walk(folder, onerror=fault):
        yield from (Path(base, name) for name in names)


def _check(folder: Path, name: str, data: bytes, size: int) -> Iterator[tuple[bool, str]]:
    """(is it a problem, sentence) of one file."""
    if partial := _PARTIAL.fullmatch(name):
        yield from _check_partial(folder, partial, data, size)
    elif full := _FULL.fullmatch(name):
        yield from _check_full(full, name, data, size)
    elif segment := _SEGMENT.fullmatch(name):
        yield from _check_segment(folder, int(segment[1]), name, data, size)
    else:
        yield True, f"{name} is no file of a log."


def _check_full(
    match: re.Match[str], name: str, data: bytes, size: int
) -> Iterator[tuple[bool, str]]:
    """A full tile beyond the checkpoint is not claimed yet; below it, `check_log` has read it."""
    level = 0 if match[1] == ENTRIES else int(match[1])
    index = int(re.sub(r"[x/]", "", match[2]))
    if (index + 1) * TILE_WIDTH ** (level + 1) <= size:
        return
    if match[1] != ENTRIES and len(data) != TILE_WIDTH * HASH_BYTES:
        yield True, f"{name} has {len(data)} bytes, not {TILE_WIDTH * HASH_BYTES}."
    else:
        yield False, f"{name} is newer than the checkpoint."


def _check_partial(
    folder: Path, match: re.Match[str], data: bytes, size: int
) -> Iterator[tuple[bool, str]]:
    """A partial tile is the beginning of the widest one of its place."""
    name, width = match[0], int(match[3])
    whole = _widest(folder, match[1], match[2], size)
    if whole is None:
        yield False, f"{name} is newer than the checkpoint."
        return
    try:
        count = len(unpack(data)) if match[2] == ENTRIES else len(data) / HASH_BYTES
    except TileError as error:
        yield True, f"{name}: {error}."
        return
    if count != width:
        yield True, f"{name} does not hold {width}."
    elif not (whole.startswith(data) or data.startswith(whole)):
        yield True, f"{name} is not the beginning of what stands there now."


def _widest(folder: Path, place: str, level: str, size: int) -> bytes | None:
    """The full tile, or the partial one that the checkpoint of `size` needs."""
    index = int(re.sub(r"[x/]", "", place.split("/", 2)[2]))
    edge = {(height, at): width for height, at, width in widths(size)}
    width = edge.get((0 if level == ENTRIES else int(level), index), TILE_WIDTH)
    for wide in (TILE_WIDTH, width, TILE_WIDTH):  # again: it may have been filled in between
        path = folder / tile_path(level, index, wide)
        if path.is_file():
            return path.read_bytes()
    return None


def _check_segment(
    folder: Path, first: int, name: str, data: bytes, size: int
) -> Iterator[tuple[bool, str]]:
    """Whole frames from its first byte to its last, with the entries that the bundles hold."""
    runs, end, place = frames(data, first)
    if holds_frame(data, place):
        yield True, f"{name} changed at byte {place}."
    elif place < len(data) and end < size:
        yield True, f"{name} changed at byte {place}: the checkpoint claims what stood there."
    elif place < len(data):
        yield False, f"{name} ends in {len(data) - place} bytes of a record not acknowledged."
    for run in runs:
        yield from _compare(folder, run.first, run.entries(), name, size)


def _compare(
    folder: Path, first: int, entries: list[bytes], name: str, size: int
) -> Iterator[tuple[bool, str]]:
    held: list[bytes] = []
    for index, entry in enumerate(entries, first):
        if index >= size:
            return
        if index == first or index % TILE_WIDTH == 0:
            whole = _widest(folder, tile_path(ENTRIES, index // TILE_WIDTH), ENTRIES, size)
            held = unpack(whole) if whole is not None else []
        place = index % TILE_WIDTH
        if place >= len(held) or held[place] != entry:
            yield True, f"{name}: entry {index} is not the one in the log."
            return
