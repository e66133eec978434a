"""Which KV blocks are in use, which hold a prefix worth keeping, and which is evicted next?

The block pool of vLLM v1 (`vllm/v1/core/block_pool.py`), counted instead of listed: blocks never
used are taken first, then blocks in the order in which they were given back, the tail of a sequence
before its head. A block with a known hash stays findable until it is taken again. Blocks are shared
by reference count. One hash names `group` consecutive blocks, so that a trace with coarse hashes
costs little. Two copies of one content are not kept: the second stays unnamed.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence


class KvCache:
    """A pool of `blocks` KV blocks; `keep` False = nothing is remembered (no prefix cache)."""

    def __init__(self, blocks: int, group: int = 1, keep: bool = True) -> None:
        self.blocks = blocks
        self.group = group
        self.keep = keep
        self.free = blocks  # never used, or given back: all that can be taken now
        self._fresh = blocks
        # Given back, oldest first: hash -> its blocks, or a serial in a tuple -> unnamed blocks.
        self._idle: OrderedDict[int | tuple[int], int] = OrderedDict()
        self._references: dict[int, int] = {}
        self._serial = 0

    def match(self, hashes: Sequence[int], limit: int) -> tuple[int, int]:
        """How many of the first `limit` hashes are here, and how many of those are idle."""
        found = idle = 0
        references, idle_now = self._references, self._idle
        for name in hashes[:limit]:
            if name not in references:
                if name not in idle_now:
                    break
                idle += 1
            found += 1
        return found, idle

    def hold(self, hashes: Sequence[int], count: int) -> None:
        """Add a reference to each of the first `count` hashes, which `match` has found."""
        references = self._references
        for name in hashes[:count]:
            if name in references:
                references[name] += 1
            else:
                references[name] = 1
                self.free -= self._idle.pop(name)

    def take(self, count: int) -> None:
        """Take `count` unnamed blocks, the oldest idle ones last; the caller has checked `free`."""
        self.free -= count
        fresh = self._fresh - count
        while fresh < 0:
            fresh += self._idle.popitem(last=False)[1]
        self._fresh = fresh

    def publish(self, names: Iterable[int]) -> list[int]:
        """Name `group` blocks the caller holds with each hash; those whose content was not here."""
        if not self.keep:
            return []
        references, idle = self._references, self._idle
        new: list[int] = []
        for name in names:
            if name not in references and name not in idle:
                references[name] = 1
                new.append(name)
        return new

    def release(self, unnamed: int, held: Sequence[int]) -> None:
        """Give back `unnamed` blocks and one reference to each of `held`, tail first."""
        if not self.keep:
            self._fresh += unnamed
            self.free += unnamed
            return
        if unnamed:
            self._serial += 1
            self._idle[(self._serial,)] = unnamed
            self.free += unnamed
        references = self._references
        for name in reversed(held):
            count = references[name] - 1
            if count:
                references[name] = count
            else:
                del references[name]
                self._idle[name] = self.group
                self.free += self.group
