"""Does the tree agree with published proofs (transparency-dev/merkle) and with published logs?

`proof_cases` reads `inclusion/*/*.json` and `consistency/*/*.json`: sizes, hashes, `wantErr`.
`tile_cases` reads folders that hold a `checkpoint` and `tile/…` as C2SP tlog-tiles lays them out.
"""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from flyball.ledger.checkpoint import Checkpoint, parse
from flyball.ledger.suites.cases import Case, Folder, expected
from flyball.ledger.tiles import (
    ENTRIES,
    TILE_WIDTH,
    OpenTiles,
    Read,
    TileError,
    read_tile,
    tile_path,
    unpack,
)
from flyball.ledger.tree import leaf_hash, verify_consistency, verify_inclusion

_INCLUSION = {"leafIdx", "treeSize", "root", "leafHash", "proof"}
_CONSISTENCY = {"size1", "size2", "root1", "root2", "proof"}


def proof_cases(folder: Folder) -> Iterator[Case]:
    """Inclusion and consistency proofs, one per file."""
    for path, found in folder.documents():
        if isinstance(found, Exception):
            yield Case(path, f"cannot be read: {found}")
        elif isinstance(found, dict) and found.keys() >= _INCLUSION:
            yield expected(path, not found.get("wantErr"), lambda f=found: _inclusion(f))
        elif isinstance(found, dict) and found.keys() >= _CONSISTENCY:
            yield expected(path, not found.get("wantErr"), lambda f=found: _consistency(f))


def _inclusion(found: dict[str, Any]) -> None:
    verify_inclusion(
        found["leafIdx"],
        found["treeSize"],
        _bytes(found["leafHash"]),
        [_bytes(one) for one in found["proof"] or ()],
        _bytes(found["root"]),
    )


def _consistency(found: dict[str, Any]) -> None:
    verify_consistency(
        found["size1"],
        found["size2"],
        [_bytes(one) for one in found["proof"] or ()],
        _bytes(found["root1"]),
        _bytes(found["root2"]),
    )


def _bytes(text: str | None) -> bytes:
    return b64decode(text or "", validate=True)


def tile_cases(folder: Folder) -> Iterator[Case]:
    """Each tile and bundle of each log, and its root."""
    for path in folder.paths:
        base, _, name = path.rpartition("checkpoint")
        if name == "" and (not base or base.endswith("/")):
            try:
                claimed = parse(folder.read(path).decode())
            except ValueError as error:
                yield Case(path, f"cannot be read: {error}")
                continue
            yield from _log_cases(base, claimed, _files(folder, base))


def _files(folder: Folder, base: str) -> Read:
    known = set(folder.paths)
    return lambda path: folder.read(base + path) if base + path in known else None


def _log_cases(base: str, claimed: Checkpoint, read: Read) -> Iterator[Case]:
    tiles = OpenTiles()
    for index in range(-(-claimed.size // TILE_WIDTH)):
        width = min(TILE_WIDTH, claimed.size - index * TILE_WIDTH)
        path = tile_path(0, index, width)
        try:
            hashes = read_tile(read, 0, index, width)
        except TileError as error:
            yield Case(base + path, str(error))
            return
        yield _bundle_case(base, index, width, hashes, read)
        for leaf in hashes:
            for closed, tile in tiles.append(leaf):
                yield _tile_case(base, closed, tile, read)
    for path, tile in tiles.partial_tiles():
        yield _tile_case(base, path, tile, read)
    agrees = tiles.root() == claimed.root
    yield Case(f"{base}checkpoint", "" if agrees else f"the tiles give {tiles.root().hex()}")


def _tile_case(base: str, path: str, tile: bytes, read: Read) -> Case:
    kept = read(path)
    if kept is None:
        kept = (read(path.partition(".p/")[0]) or b"")[: len(tile)]
    return Case(base + path, "" if kept == tile else "it does not follow from what is below")


def _bundle_case(base: str, index: int, width: int, hashes: list[bytes], read: Read) -> Case:
    path = tile_path(ENTRIES, index, width)
    raw = read(path) or read(tile_path(ENTRIES, index))
    if raw is None:
        return Case(base + path, "it is absent")
    try:
        found = [leaf_hash(entry) for entry in unpack(raw)][:width]
    except TileError as error:
        return Case(base + path, str(error))
    return Case(base + path, "" if found == hashes else "its entries do not hash to the tile")
