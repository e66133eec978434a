"""What are the tiles of a tree of a thousand million entries, without a thousand million entries?

Nearly all leaves are alike, so a subtree without a special one has the same hash as any other of
its height; the paths to the special leaves are computed when they are asked for. Special leaves
stand where the tests look, so that a wrong index leads to a wrong hash.
"""

from bisect import bisect_left
from collections.abc import Iterable
from functools import cache

from flyball.ledger.tiles import TILE_HEIGHT, TILE_WIDTH
from flyball.ledger.tree import leaf_hash, node_hash, range_root

COMMON = leaf_hash(b"an entry like all others")


class SyntheticTree:
    """A tree of `size` entries; `reads` counts the tiles asked for."""

    def __init__(self, size: int, special: Iterable[int]) -> None:
        self.size = size
        self.reads = 0
        self._special = sorted(set(special))
        self._common = [COMMON]
        for _ in range(64):
            self._common.append(node_hash(self._common[-1], self._common[-1]))
        self.subtree = cache(self._subtree)
        self.root = range_root(0, size, self.subtree)

    def leaf(self, index: int) -> bytes:
        """The leaf hash at `index`."""
        return self.subtree(0, index)

    def _subtree(self, height: int, index: int) -> bytes:
        begin, end = index << height, (index + 1) << height
        place = bisect_left(self._special, begin)
        if place == len(self._special) or self._special[place] >= end:
            return self._common[height]
        if height == 0:
            return leaf_hash(b"special %d" % index)
        return node_hash(
            self._subtree(height - 1, 2 * index), self._subtree(height - 1, 2 * index + 1)
        )

    def read(self, path: str) -> bytes | None:
        """The tile at `path`, computed; None where the tree has no such tile."""
        self.reads += 1
        _, level_text, *groups = path.split("/")
        width = TILE_WIDTH
        if groups[-2:-1] and groups[-2].endswith(".p"):
            width = int(groups.pop())
            groups[-1] = groups[-1].removesuffix(".p")
        index = int("".join(group.removeprefix("x") for group in groups))
        height = int(level_text) * TILE_HEIGHT
        first = index * TILE_WIDTH
        if (first + width) << height > self.size:
            return None
        return b"".join(self.subtree(height, first + place) for place in range(width))
