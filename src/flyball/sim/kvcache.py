"""Which KV blocks are in use, which hold a prefix worth keeping, and which is evicted next?

The block pool of vLLM v1 (`vllm/v1/core/block_pool.py`), counted instead of listed: blocks never
used are taken first, then blocks in the order in which they were given back, the tail of a sequence
before its head. A block with a known hash stays findable until it is taken again. Blocks are shared
by reference count. One hash names `group` consecutive blocks, so that a trace with coarse hashes
costs little. Two copies of one content are not kept: the second stays unnamed.

A hash stands for all that comes before its blocks too, so it has one predecessor. Hashes that
follow each other, are held by the same jobs and were given back together are one `Segment`: a
prompt that nobody shares costs the same few operations whatever its length.
"""

from collections import OrderedDict
from collections.abc import Sequence


class Segment:
    """Consecutive hashes of one chain in one state: the first `size` of `names`.

    `start` = place of the first in its chain; `references` = jobs that hold it, 0 = given back.
    `parts` = what it was split into while it was held; () = it is whole.
    """

    __slots__ = ("names", "parts", "references", "size", "start")

    def __init__(self, names: tuple[int, ...], start: int, references: int) -> None:
        self.names = names
        self.size = len(names)
        self.start = start
        self.references = references
        self.parts: tuple[Segment, ...] = ()


# How many hashes are here, how many of them are idle, and where: (segment, hashes of it).
Match = tuple[int, int, list[tuple[Segment, int]]]


class KvCache:
    """A pool of `blocks` KV blocks; `keep` False = nothing is remembered (no prefix cache)."""

    def __init__(self, blocks: int, group: int = 1, keep: bool = True) -> None:
        self.blocks = blocks
        self.group = group
        self.keep = keep
        self.free = blocks  # never used, or given back: all that can be taken now
        self._fresh = blocks
        # Given back, oldest first: a serial -> so many unnamed blocks, or a segment -> 0.
        self._idle: OrderedDict[int | Segment, int] = OrderedDict()
        self._by_first: dict[int, Segment] = {}
        self._serial = 0

    def match(self, hashes: Sequence[int], limit: int) -> Match:
        """Look for the first `limit` hashes; the answer is good until something changes here."""
        found = idle = 0
        limit = min(limit, len(hashes))
        path: list[tuple[Segment, int]] = []
        while found < limit:
            segment = self._by_first.get(hashes[found])
            if segment is None:
                break
            same = _same(segment, hashes, found, limit)
            path.append((segment, same))
            found += same
            if not segment.references:
                idle += same
        return found, idle, path

    def hold(self, match: Match) -> list[Segment]:
        """Add a reference to each hash that `match` has found; what the caller holds now."""
        held: list[Segment] = []
        for segment, size in match[2]:
            mine = segment if size == segment.size else self._split(segment, size)
            if not mine.references:
                self._idle.pop(mine, None)
                self.free -= size * self.group
            mine.references += 1
            held.append(mine)
        return held

    def take(self, count: int) -> None:
        """Take `count` unnamed blocks, the oldest idle ones last; the caller has checked `free`."""
        self.free -= count
        self._fresh -= count
        if self._fresh < 0:
            self._evict()

    def publish(
        self, hashes: Sequence[int], begin: int, end: int, held: list[Segment]
    ) -> list[Segment]:
        """Name the blocks of `hashes[begin:end]`, which the caller has computed after the first
        `begin`; what it holds then, of which `held` was known. What is here already stays another
        job's; as that job may go, a caller without some of its first names tries them all again.
        """
        if not self.keep:
            return held
        if _count(held) < begin:
            return self._name_missing(hashes[:end], 0, whole(held))
        if begin < end:
            names = tuple(hashes[begin:end])
            if self._by_first.keys().isdisjoint(names):
                held.append(self._name(names, begin))
            else:
                held += self._name_missing(names, begin, [])
        return held

    def release(self, blocks: int, held: Sequence[Segment]) -> None:
        """Give back so many blocks: unnamed ones, then the references to `held`, tail first."""
        unnamed = blocks - _count(held) * self.group
        if not self.keep:
            self._fresh += unnamed
            self.free += unnamed
            return
        idle = self._idle
        if unnamed:
            self._serial += 1
            idle[self._serial] = unnamed
            self.free += unnamed
        later: Segment | None = None
        for segment in reversed(whole(held)):
            segment.references -= 1
            if segment.references:
                continue
            self.free += segment.size * self.group
            if later is not None and segment.start + segment.size == later.start:
                del idle[later]
                self._join(segment, later)
            idle[segment] = 0
            later = segment

    def _evict(self) -> None:
        """Forget the oldest idle blocks until what was taken is paid for."""
        idle, group, fresh = self._idle, self.group, self._fresh
        while fresh < 0:
            oldest = next(iter(idle))
            if isinstance(oldest, int):
                fresh += idle.pop(oldest)
                continue
            gone = min(-(fresh // group), oldest.size)
            fresh += gone * group
            oldest.size -= gone
            if not oldest.size:
                del idle[oldest]
                self._forget(oldest)
        self._fresh = fresh

    def _name_missing(
        self, names: Sequence[int], start: int, held: Sequence[Segment]
    ) -> list[Segment]:
        """Name what is not here; that and those of `held` that are among `names`, in order."""
        mine = set(held)
        now: list[Segment] = []
        place = missing = 0  # from `missing` up to `place` nothing is here
        while place < len(names):
            segment = self._by_first.get(names[place])
            if segment is None:
                place += 1
                continue
            if missing < place:
                now.append(self._name(tuple(names[missing:place]), start + missing))
            if segment in mine:
                now.append(segment)
            place += _same(segment, names, place, len(names))
            missing = place
        if missing < place:
            now.append(self._name(tuple(names[missing:]), start + missing))
        return now

    def _name(self, names: tuple[int, ...], start: int) -> Segment:
        segment = self._by_first[names[0]] = Segment(names, start, 1)
        return segment

    def _forget(self, segment: Segment) -> None:
        first = segment.names[0]
        if self._by_first.get(first) is segment:
            del self._by_first[first]

    def _join(self, segment: Segment, later: Segment) -> None:
        """Two idle ones, the second right after the first, become one."""
        self._forget(later)
        segment.names = segment.names[: segment.size] + later.names[: later.size]
        segment.size += later.size

    def _split(self, segment: Segment, size: int) -> Segment:
        """Cut after `size` hashes; the first part. What is idle keeps its place in the line."""
        names, references = segment.names, segment.references
        head = Segment(names[:size], segment.start, references)
        rest = names[size : segment.size]
        if references:
            tail = Segment(rest, segment.start + size, references)
            segment.parts = (head, tail)
        else:
            tail = segment
            tail.names, tail.start, tail.size = rest, segment.start + size, len(rest)
        self._by_first[names[0]], self._by_first[rest[0]] = head, tail
        return head


def whole(held: Sequence[Segment]) -> list[Segment]:
    """The same, with each segment that was split meanwhile replaced by its parts."""
    out: list[Segment] = []
    for segment in held:
        if segment.parts:
            out += whole(segment.parts)
        else:
            out.append(segment)
    return out


def _count(held: Sequence[Segment]) -> int:
    """How many hashes they are together."""
    return sum([segment.size for segment in held])


def _same(segment: Segment, hashes: Sequence[int], begin: int, end: int) -> int:
    """How many hashes from `begin` on, before `end`, are those of the segment from its first."""
    size = min(segment.size, end - begin)
    ours, theirs = segment.names[:size], tuple(hashes[begin : begin + size])
    if ours == theirs:
        return size
    return next(i for i in range(size) if ours[i] != theirs[i])
