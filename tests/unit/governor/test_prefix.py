"""Does the index find the longest prefix, forget like an engine, and learn how far to trust it?"""

import random

import pytest

from flyball.governor.prefix import PrefixIndex

SEED = 20


def chain(seed: int, blocks: int) -> tuple[int, ...]:
    """Distinct 64-bit hashes, the same for the same seed."""
    draw = random.Random(SEED * 1_000_003 + seed)
    return tuple(draw.getrandbits(64) for _ in range(blocks))


def test_an_empty_index_knows_nobody() -> None:
    index = PrefixIndex(2, (10, 10))
    assert index.match(()) == {} and index.match(chain(0, 3)) == {}


def test_the_longest_known_prefix_counts_per_endpoint() -> None:
    index = PrefixIndex(4, (100,) * 4)
    prompt = chain(1, 40)
    index.insert(0, prompt)
    index.insert(1, prompt[:7])
    index.insert(2, (*prompt[:20], *chain(2, 9)))
    assert index.match(prompt) == {0: 40, 1: 7, 2: 20}
    assert index.match((*prompt[:25], *chain(3, 30))) == {0: 25, 1: 7, 2: 20}
    assert index.match((*chain(4, 1), *prompt)) == {}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 31, 32, 33, 100])
def test_every_length_of_every_hit(size: int) -> None:
    prompt = chain(5, size)
    for known in range(1, size + 1):
        index = PrefixIndex(1, (200,))
        index.insert(0, prompt[:known])
        assert index.match(prompt) == {0: known}


def test_a_full_endpoint_forgets_the_least_recently_used() -> None:
    index = PrefixIndex(1, (80,))
    kept = chain(6, 10)
    for seed in range(100, 160):
        index.insert(0, kept)
        index.insert(0, chain(seed, 10))
        assert index.held(0) <= 80
    assert index.match(kept) == {0: 10}, "used each time"
    assert index.match(chain(159, 10)) == {0: 10}, "just used"
    assert index.match(chain(100, 10)) == {}, "long ago"


def test_what_leaves_is_the_end_of_a_chain() -> None:
    index = PrefixIndex(1, (16,))
    old, new = chain(7, 12), chain(8, 7)
    index.insert(0, old)
    index.insert(0, new)
    assert index.match(old) == {0: 9} and index.match(new) == {0: 7}


def test_a_prompt_larger_than_the_cache_counts_in_part() -> None:
    index = PrefixIndex(2, (5, 0))
    prompt = chain(9, 12)
    index.insert(0, prompt)
    index.insert(1, prompt)
    assert index.match(prompt) == {0: 5}
    assert (index.held(0), index.held(1)) == (5, 0)


def test_a_restarted_engine_is_empty_at_once_and_starts_anew() -> None:
    index = PrefixIndex(2, (50, 50))
    prompt = chain(10, 20)
    for round_ in range(30):  # more often than there are spare bits
        index.insert(0, prompt)
        index.insert(1, prompt[:5])
        assert index.match(prompt) == {0: 20, 1: 5}, round_
        index.forget(0)
        assert index.held(0) == 0
        assert index.match(prompt) == {1: 5}
    index.forget(1)
    assert index.match(prompt) == {}


def test_credit_follows_what_the_engine_reports() -> None:
    index = PrefixIndex(2, (50, 50))
    for _ in range(60):
        index.credit(0, 10, 4)
        index.credit(1, 10, 25)
        index.credit(1, 0, 0)
    assert index.credits[0] == pytest.approx(0.4, abs=1e-3)
    assert index.credits[1] == 1.0
    for _ in range(60):
        index.credit(0, 8, 8)
    assert index.credits[0] == pytest.approx(1.0, abs=1e-3)


def test_hashes_at_the_ends_of_the_range() -> None:
    index = PrefixIndex(1, (10_000_000,))
    prompt = (0, 2**64 - 1, 2**63, 1)
    index.insert(0, prompt)
    assert index.match(prompt) == {0: 4}


@pytest.mark.parametrize("capacities", [(), (1,), (1, 2, 3), (1, -1)])
def test_capacities_that_make_no_sense(capacities: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="capacities"):
        PrefixIndex(2, capacities)


def test_long_churn_keeps_what_is_used_and_leaves_no_hole() -> None:
    """Enough turns of generations that old ones are folded together, beside a strict list."""
    draw = random.Random(SEED)
    print("seed", SEED)
    room, index = 64, PrefixIndex(1, (64,))
    texts = [chain(1000 + text, 6) for text in range(40)]
    recency: dict[int, None] = {}
    folded = 0
    for _ in range(8_000):
        prompt = texts[min(int(draw.paretovariate(0.7)), 40) - 1][: draw.randint(1, 6)]
        index.insert(0, prompt)
        folded = max(folded, len(index._generations[0]))
        for block in reversed(prompt):
            recency.pop(block, None)
            recency[block] = None
        sure = set(list(recency)[-(room - 8) :])
        for text in texts:
            depth = index.match(text).get(0, 0)
            assert depth >= next((i for i, b in enumerate(text) if b not in sure), 6)
            for size in range(1, 7):
                assert index.match(text[:size]).get(0, 0) == min(size, depth)
        assert index.held(0) <= room
    assert folded >= 16, "the fold was never reached"
