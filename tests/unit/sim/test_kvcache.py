"""Are KV blocks shared, kept and evicted as vLLM's block pool does it?"""

from flyball.sim.kvcache import KvCache


def filled(cache: KvCache, names: list[int], unnamed: int = 0) -> list[int]:
    cache.take(len(names) * cache.group + unnamed)
    return cache.publish(names)


def test_a_prefix_given_back_is_found_until_it_is_taken() -> None:
    cache = KvCache(8)
    held = filled(cache, [1, 2, 3], unnamed=1)
    assert cache.free == 4
    cache.release(1, held)
    assert cache.free == 8
    assert cache.match([1, 2, 3, 9], 4) == (3, 3)
    cache.take(4 + 1)  # the fresh ones, then the unnamed one, which was given back first
    assert cache.match([1, 2, 3], 3) == (3, 3)
    cache.take(1)  # the tail of the prefix goes before its head
    assert cache.match([1, 2, 3], 3) == (2, 2)


def test_least_recently_given_back_goes_first() -> None:
    cache = KvCache(4)
    first = filled(cache, [1, 2])
    second = filled(cache, [11, 12])
    cache.release(0, second)
    cache.release(0, first)
    cache.take(2)
    assert cache.match([11], 1) == (0, 0)
    assert cache.match([1, 2], 2) == (2, 2)


def test_shared_blocks_are_counted_once_and_freed_by_the_last() -> None:
    cache = KvCache(4)
    held = filled(cache, [1, 2])
    cache.hold([1, 2], 2)
    assert cache.free == 2
    cache.release(0, held)
    assert cache.free == 2
    assert cache.match([1, 2], 2) == (2, 0)
    cache.release(0, [1, 2])
    assert cache.free == 4


def test_holding_idle_blocks_takes_them_out_of_the_free_ones() -> None:
    cache = KvCache(4)
    cache.release(0, filled(cache, [1, 2]))
    cache.hold([1, 2], 1)
    assert cache.free == 3
    cache.take(3)
    assert cache.match([1, 2], 2) == (1, 0)


def test_a_second_copy_stays_unnamed() -> None:
    cache = KvCache(4)
    filled(cache, [1])
    cache.take(1)
    assert not cache.publish([1])


def test_one_hash_for_several_blocks() -> None:
    cache = KvCache(8, group=4)
    cache.release(0, filled(cache, [1, 2]))
    cache.take(1)  # breaks the group of hash 2; its other three blocks are next
    assert cache.match([1, 2], 2) == (1, 1)
    assert cache.free == 7
    cache.take(3)
    assert cache.match([1], 1) == (1, 1)


def test_without_keeping_nothing_is_found() -> None:
    cache = KvCache(2, keep=False)
    cache.take(2)
    assert not cache.publish([1])
    cache.release(2, [])
    assert (cache.free, cache.match([1], 1)) == (2, (0, 0))
