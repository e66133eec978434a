"""In which files does the tree stand, and which of them does a new entry complete?

The layout is C2SP tlog-tiles: a tile holds 256 hashes of level L (each over 256**L entries), a
bundle holds 256 entries, each behind a big-endian uint16 length. Everything is a pure function of
bytes; who writes and reads the files is not known here.
"""

from collections.abc import Callable, Iterable, Iterator

from flyball.ledger.tree import HASH_BYTES, Subtree, fold, peaks, perfect_root

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
ENTRY_BYTES_MAX = 65_535
ENTRIES = "entries"

# path -> the file's bytes, or None if there is no such file
Read = Callable[[str], bytes | None]


class TileError(ValueError):
    """A tile or bundle is absent or not of the form that its place demands."""


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """`tile/<L>/<N>[.p/<W>]`; level "entries" names a bundle. 1234067 -> x001/x234/067."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    place = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{place}" + (f".p/{width}" if width != TILE_WIDTH else "")


def pack(entries: Iterable[bytes]) -> bytes:
    """A bundle: each entry behind its length; OverflowError if one is over ENTRY_BYTES_MAX."""
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def unpack(bundle: bytes) -> list[bytes]:
    """The entries of a bundle; TileError if the last one is cut short."""
    entries: list[bytes] = []
    place, end = 0, len(bundle)
    while place < end:
        stop = place + 2 + int.from_bytes(bundle[place : place + 2], "big")
        if place + 2 > end or stop > end:
            raise TileError(f"entry {len(entries)} of the bundle is cut short")
        entries.append(bundle[place + 2 : stop])
        place = stop
    return entries


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes of a tile; TileError if it is not a whole number of them."""
    if len(tile) % HASH_BYTES:
        raise TileError(f"a tile of {len(tile)} bytes is not a whole number of hashes")
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def widths(size: int) -> Iterator[tuple[int, int, int]]:
    """The rightmost tile of each level of a tree of `size`: (level, index, width 0..255)."""
    level = 0
    while size:
        yield level, size // TILE_WIDTH, size % TILE_WIDTH
        size //= TILE_WIDTH
        level += 1


class OpenTiles:
    """The tree's growing edge: the hashes of each level's tile that is not full yet.

    `size` entries are in the tree. At most 255 hashes are held per level, whatever its size.
    """

    def __init__(self, size: int = 0, rows: list[list[bytes]] | None = None) -> None:
        self.size = size
        self._rows: list[list[bytes]] = rows or [[]]

    def append(self, leaf: bytes) -> list[tuple[str, bytes]]:
        """Take one more leaf hash; the full tiles it completes, lowest level first."""
        self.size += 1
        row = self._rows[0]
        row.append(leaf)
        return self._close_full() if len(row) == TILE_WIDTH else []

    def _close_full(self) -> list[tuple[str, bytes]]:
        closed: list[tuple[str, bytes]] = []
        level, span = 0, TILE_WIDTH
        while len(self._rows[level]) == TILE_WIDTH:
            row = self._rows[level]
            closed.append((tile_path(level, self.size // span - 1), b"".join(row)))
            if level + 1 == len(self._rows):
                self._rows.append([])
            self._rows[level + 1].append(perfect_root(row))
            self._rows[level] = []
            level, span = level + 1, span * TILE_WIDTH
        return closed

    def root(self) -> bytes:
        """The root over all entries so far."""
        return fold([peak for row in reversed(self._rows) for peak in peaks(row)])

    def partial_tiles(self) -> list[tuple[str, bytes]]:
        """The tiles that are not full, as a checkpoint of this size needs them."""
        return [
            (tile_path(level, index, width), b"".join(self._rows[level]))
            for level, index, width in widths(self.size)
            if width
        ]


def open_tiles(size: int, read: Read, minimum: int = 0) -> OpenTiles:
    """The growing edge of a stored tree of `size`, a multiple of 256, from its full tiles.

    Entries below `minimum` may be pruned: hashes over them come from the tile above. Raises
    TileError if another full tile is absent, ValueError for another size.
    """
    if size % TILE_WIDTH:
        raise ValueError(f"{size} is not a multiple of {TILE_WIDTH}")
    rows: list[list[bytes]] = [[]]
    for level, index, width in widths(size // TILE_WIDTH):
        first = index * TILE_WIDTH
        if width and first < minimum // TILE_WIDTH ** (level + 1):
            rows.append(read_tile(read, level + 1, index, width))
        else:
            rows.append([perfect_root(_full(read, level, first + i)) for i in range(width)])
    return OpenTiles(size, rows)


def edge_within(start: int, size: int, read: Read) -> OpenTiles:
    """The growing edge at `start`, a multiple of 256, out of a larger stored tree of `size`.

    Nothing below `start` is read but hashes that stand over it: so it may be pruned. Raises
    TileError if a tile is absent, ValueError for another start.
    """
    if start % TILE_WIDTH or start > size:
        raise ValueError(f"{start} is not a multiple of {TILE_WIDTH} within a tree of {size}")
    edge = {(level, index): width for level, index, width in widths(size)}
    rows: list[list[bytes]] = [[]]
    for level, index, width in widths(start // TILE_WIDTH):
        stored = edge.get((level + 1, index), TILE_WIDTH)
        rows.append(read_tile(read, level + 1, index, stored)[:width] if width else [])
    return OpenTiles(start, rows)


def prunable(minimum: int) -> Iterator[tuple[int | str, int]]:
    """(level, count) for which tiles 0 to count - 1 may go if no entry below `minimum` is served.

    A tile goes only when the last entry that it spans is below (C2SP tlog-tiles, Pruning).
    """
    level, count = 0, minimum // TILE_WIDTH
    if count:
        yield ENTRIES, count
    while count:
        yield level, count
        level, count = level + 1, count // TILE_WIDTH


def stored_subtree(size: int, read: Read) -> Subtree:
    """Hashes of perfect subtrees within a stored tree of `size`, each tile read once."""
    edge = {(level, index): width for level, index, width in widths(size)}
    kept: dict[tuple[int, int], list[bytes]] = {}

    def subtree(height: int, index: int) -> bytes:
        level, low = divmod(height, TILE_HEIGHT)
        tile, place = divmod(index << low, TILE_WIDTH)
        hashes = kept.get((level, tile))
        if hashes is None:
            width = edge.get((level, tile), TILE_WIDTH)
            hashes = kept[(level, tile)] = read_tile(read, level, tile, width)
        return perfect_root(hashes[place : place + (1 << low)])

    return subtree


def read_tile(read: Read, level: int, index: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile; the full tile stands in for a partial one removed.

    Raises TileError if neither is there.
    """
    raw = read(tile_path(level, index, width)) if width != TILE_WIDTH else None
    if raw is None:
        raw = read(tile_path(level, index))
    if raw is None or len(raw) < width * HASH_BYTES:
        raise TileError(f"{tile_path(level, index, width)} is absent or too short")
    return split_hashes(raw)[:width]


def _full(read: Read, level: int, index: int) -> list[bytes]:
    return read_tile(read, level, index, TILE_WIDTH)
