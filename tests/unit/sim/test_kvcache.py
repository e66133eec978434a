"""Are KV blocks shared, kept and evicted as vLLM's block pool does it?"""

from collections import OrderedDict

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.sim.kvcache import KvCache, Segment, whole


def filled(cache: KvCache, names: list[int], unnamed: int = 0) -> list[Segment]:
    cache.take(len(names) * cache.group + unnamed)
    return cache.publish(names, 0, len(names), [])


def found(cache: KvCache, names: list[int]) -> tuple[int, int]:
    return cache.match(names, len(names))[:2]


def test_a_prefix_given_back_is_found_until_it_is_taken() -> None:
    cache = KvCache(8)
    held = filled(cache, [1, 2, 3], unnamed=1)
    assert cache.free == 4
    cache.release(4, held)
    assert cache.free == 8
    assert found(cache, [1, 2, 3, 9]) == (3, 3)
    cache.take(4 + 1)  # the fresh ones, then the unnamed one, which was given back first
    assert found(cache, [1, 2, 3]) == (3, 3)
    cache.take(1)  # the tail of the prefix goes before its head
    assert found(cache, [1, 2, 3]) == (2, 2)


def test_least_recently_given_back_goes_first() -> None:
    cache = KvCache(4)
    first = filled(cache, [1, 2])
    second = filled(cache, [11, 12])
    cache.release(2, second)
    cache.release(2, first)
    cache.take(2)
    assert found(cache, [11]) == (0, 0)
    assert found(cache, [1, 2]) == (2, 2)


def test_shared_blocks_are_counted_once_and_freed_by_the_last() -> None:
    cache = KvCache(4)
    held = filled(cache, [1, 2])
    also = cache.hold(cache.match([1, 2], 2))
    assert cache.free == 2
    cache.release(2, held)
    assert cache.free == 2
    assert found(cache, [1, 2]) == (2, 0)
    cache.release(2, also)
    assert cache.free == 4


def test_a_shared_head_stays_when_the_rest_is_given_back() -> None:
    cache = KvCache(6)
    held = filled(cache, [1, 2, 3, 4])
    also = cache.hold(cache.match([1, 2, 9], 3))
    cache.release(4, held)
    assert cache.free == 4
    assert found(cache, [1, 2, 3, 4]) == (4, 2)
    cache.release(2, also)
    assert found(cache, [1, 2, 3, 4]) == (4, 4)


def test_holding_idle_blocks_takes_them_out_of_the_free_ones() -> None:
    cache = KvCache(4)
    cache.release(2, filled(cache, [1, 2]))
    cache.hold(cache.match([1, 2], 1))
    assert cache.free == 3
    cache.take(3)
    assert found(cache, [1, 2]) == (1, 0)


def test_a_second_copy_stays_unnamed_until_the_first_has_gone() -> None:
    cache = KvCache(4)
    held = filled(cache, [1])
    cache.take(2)
    mine = cache.publish([1, 2], 0, 2, [])
    assert [segment.names for segment in mine] == [(2,)]
    cache.release(1, held)
    cache.take(2)  # what was never used, and then the first copy
    mine = cache.publish([1, 2], 2, 2, mine)
    assert [segment.names for segment in mine] == [(1,), (2,)]


def test_one_hash_for_several_blocks() -> None:
    cache = KvCache(8, group=4)
    cache.release(8, filled(cache, [1, 2]))
    cache.take(1)  # breaks the group of hash 2; its other three blocks are next
    assert found(cache, [1, 2]) == (1, 1)
    assert cache.free == 7
    cache.take(3)
    assert found(cache, [1]) == (1, 1)


def test_without_keeping_nothing_is_found() -> None:
    cache = KvCache(2, keep=False)
    cache.take(2)
    assert not cache.publish([1], 0, 1, [])
    cache.release(2, [])
    assert (cache.free, found(cache, [1])) == (2, (0, 0))


class OneByOne:
    """The same pool with an entry per block group and a set of names per job: the witness."""

    def __init__(self, blocks: int, group: int) -> None:
        self.group = group
        self.free = self.fresh = blocks
        self.idle: OrderedDict[int | tuple[int], int] = OrderedDict()
        self.references: dict[int, int] = {}
        self.serial = 0

    def match(self, hashes: list[int], limit: int) -> tuple[int, int]:
        here = 0
        for name in hashes[:limit]:
            if name not in self.references and name not in self.idle:
                break
            here += 1
        return here, sum(name in self.idle for name in hashes[:here])

    def hold(self, names: list[int]) -> list[int]:
        for name in names:
            if name in self.idle:
                self.free -= self.idle.pop(name)
            self.references[name] = self.references.get(name, 0) + 1
        return list(names)

    def take(self, count: int) -> None:
        self.free -= count
        self.fresh -= count
        while self.fresh < 0:
            self.fresh += self.idle.popitem(last=False)[1]

    def publish(self, hashes: list[int], begin: int, end: int, held: list[int]) -> list[int]:
        first = begin if len(held) == begin else 0
        for name in hashes[first:end]:
            if name not in self.references and name not in self.idle:
                self.references[name] = 1
                held.append(name)
        return sorted(held, key=hashes.index)

    def release(self, blocks: int, held: list[int]) -> None:
        unnamed = blocks - len(held) * self.group
        if unnamed:
            self.serial += 1
            self.idle[(self.serial,)] = unnamed
            self.free += unnamed
        for name in reversed(held):
            self.references[name] -= 1
            if not self.references[name]:
                del self.references[name]
                self.idle[name] = self.group
                self.free += self.group


def chain(family: int, shared: int, own: int, length: int) -> list[int]:
    """Names of one prompt: those of its family, then its own."""
    return [family * 100 + k if k < shared else own * 10_000 + k for k in range(length)]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_segments_do_what_single_blocks_do(data: st.DataObject) -> None:
    group = data.draw(st.sampled_from([1, 3]))
    blocks = data.draw(st.sampled_from([12, 30, 80])) * group
    cache, witness = KvCache(blocks, group), OneByOne(blocks, group)
    jobs: list[tuple[list[int], int, int, list[Segment], list[int]]] = []
    for number in range(data.draw(st.integers(1, 40))):
        if jobs and data.draw(st.booleans()):
            place = data.draw(st.integers(0, len(jobs) - 1))
            hashes, done, paid, held, names = jobs.pop(place)
            end = data.draw(st.integers(done, len(hashes)))
            held = cache.publish(hashes, done, end, held)
            names = witness.publish(hashes, done, end, names)
            if end < len(hashes) or data.draw(st.booleans()):
                jobs.append((hashes, end, paid, held, names))
            else:
                cache.release(paid, held)
                witness.release(paid, names)
        else:
            family, length = data.draw(st.integers(0, 2)), data.draw(st.integers(1, 12))
            hashes = chain(family, data.draw(st.integers(0, 12)), number + 1, length)
            limit = data.draw(st.integers(0, length))
            match = here, idle, _ = cache.match(hashes, limit)
            assert (here, idle) == witness.match(hashes, limit)
            fresh = (length - here) * group + data.draw(st.integers(0, 2))
            if fresh + idle * group <= cache.free:
                held, names = cache.hold(match), witness.hold(hashes[:here])
                cache.take(fresh)
                witness.take(fresh)
                jobs.append((hashes, here, fresh + here * group, held, names))
        assert cache.free == witness.free
        for hashes, _, _, held, names in jobs:
            assert [n for one in whole(held) for n in one.names[: one.size]] == names
            assert found(cache, hashes) == witness.match(hashes, len(hashes))
