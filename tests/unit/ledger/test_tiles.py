"""Are tiles named, cut and joined as C2SP tlog-tiles says, and is the open edge found again?"""

import pytest

from flyball.ledger.tiles import (
    ENTRIES,
    OpenTiles,
    TileError,
    edge_within,
    open_tiles,
    pack,
    prunable,
    read_tile,
    stored_subtree,
    tile_path,
    unpack,
    widths,
)
from flyball.ledger.tree import inclusion_proof, leaf_hash, root_of, verify_inclusion


def grown(size: int) -> tuple[dict[str, bytes], OpenTiles, list[bytes]]:
    leaves = [leaf_hash(b"%d" % i) for i in range(size)]
    files: dict[str, bytes] = {}
    edge = OpenTiles()
    for leaf in leaves:
        files.update(edge.append(leaf))
    files.update(edge.partial_tiles())
    return files, edge, leaves


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 273, 112, "tile/0/273.p/112"),
        (1, 1_234_067, 256, "tile/1/x001/x234/067"),
        (ENTRIES, 1_234_067, 8, "tile/entries/x001/x234/067.p/8"),
        (0, 1000, 256, "tile/0/x001/000"),
    ],
)
def test_paths(level: int | str, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path


def test_the_example_of_the_specification_70000() -> None:
    assert list(widths(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]


def test_256_entries_make_one_full_tile_and_a_partial_one_of_width_1() -> None:
    files, edge, leaves = grown(256)
    assert sorted(files) == ["tile/0/000", "tile/1/000.p/1"]
    assert len(files["tile/0/000"]) == 8192
    assert files["tile/1/000.p/1"] == edge.root() == root_of(leaves)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600, 65_536, 66_000])
def test_the_root_is_that_of_the_plain_list(size: int) -> None:
    _, edge, leaves = grown(size)
    assert edge.root() == root_of(leaves)


@pytest.mark.parametrize("size", [0, 256, 65_536, 65_792])
def test_the_open_edge_is_found_again_from_full_tiles(size: int) -> None:
    files, edge, _ = grown(size)
    full = {path: data for path, data in files.items() if ".p/" not in path}
    again = open_tiles(size, full.get)
    assert again.root() == edge.root()
    more = leaf_hash(b"one more")
    assert again.append(more) == edge.append(more)
    assert again.root() == edge.root()


def test_the_open_edge_needs_its_tiles() -> None:
    files, _, _ = grown(512)
    del files["tile/0/001"]
    with pytest.raises(TileError, match="tile/0/001"):
        open_tiles(512, files.get)
    with pytest.raises(ValueError, match="multiple of 256"):
        open_tiles(300, files.get)


@pytest.mark.parametrize("size", [300, 70_000])
def test_proofs_from_tiles(size: int) -> None:
    files, edge, leaves = grown(size)
    for index in (0, 255, 256, size // 2, size - 1):
        proof = inclusion_proof(index, size, stored_subtree(size, files.get))
        verify_inclusion(index, size, leaves[index], proof, edge.root())


def test_a_full_tile_stands_in_for_a_partial_one_removed() -> None:
    files, _, leaves = grown(256)
    assert read_tile(files.get, 0, 0, 7) == leaves[:7]
    with pytest.raises(TileError, match="absent"):
        read_tile(files.get, 0, 1, 7)


def test_bundles() -> None:
    entries = [b"", b"a", b"x" * 65_535]
    assert unpack(pack(entries)) == entries
    assert pack([b"ab"]) == b"\x00\x02ab"
    with pytest.raises(OverflowError):
        pack([b"x" * 65_536])


@pytest.mark.parametrize("bad", [b"\x00", b"\x00\x02a", b"\x00\x01ab"])
def test_a_bundle_cut_short_is_named(bad: bytes) -> None:
    with pytest.raises(TileError, match="cut short"):
        unpack(bad)


def without(files: dict[str, bytes], minimum: int) -> dict[str, bytes]:
    gone = {tile_path(level, i) for level, count in prunable(minimum) for i in range(count)}
    return {path: data for path, data in files.items() if path not in gone}


def test_a_tile_may_go_once_all_that_it_spans_is_below() -> None:
    assert list(prunable(255)) == []
    assert list(prunable(256)) == [("entries", 1), (0, 1)]
    assert list(prunable(65_535)) == [("entries", 255), (0, 255)]
    assert list(prunable(131_072 + 300)) == [("entries", 513), (0, 513), (1, 2)]


@pytest.mark.parametrize("minimum", [0, 256, 300, 65_536, 65_792, 69_000])
def test_a_pruned_log_is_opened_proven_and_goes_on(minimum: int) -> None:
    size = 69_888  # 273 full bundles
    files, edge, leaves = grown(size)
    kept = without(files, minimum)
    again = open_tiles(size, kept.get, minimum)
    assert again.root() == edge.root()
    for index in (-(-minimum // 256) * 256, size - 1):
        proof = inclusion_proof(index, size, stored_subtree(size, kept.get))
        verify_inclusion(index, size, leaves[index], proof, edge.root())
    again.append(leaves[0])
    edge.append(leaves[0])
    assert again.root() == edge.root()


@pytest.mark.parametrize("size", [512, 70_000])
def test_the_edge_within_a_pruned_tree_leads_to_its_root(size: int) -> None:
    files, edge, leaves = grown(size)
    for start in range(0, size, 256 * (1 if size < 1000 else 13)):
        kept = without(files, start)
        found = edge_within(start, size, kept.get)
        for leaf in leaves[start:]:
            found.append(leaf)
        assert found.root() == edge.root()
    with pytest.raises(ValueError, match="multiple of 256"):
        edge_within(100, size, files.get)
    with pytest.raises(ValueError, match="multiple of 256"):
        edge_within(70_144, size, files.get)
