"""Does the prefix index agree with a naive one, whatever is inserted, forgotten and evicted?

Chains are drawn from a random tree of prompts, so that they share beginnings as conversations do.
"""

from collections import OrderedDict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flyball.governor.prefix import PrefixIndex

MIX, MASK = 0x9E3779B97F4A7C15, 2**64 - 1


def chain_of(turns: list[tuple[int, int]]) -> tuple[int, ...]:
    """Chained hashes of a conversation: each turn = (which text, how many blocks)."""
    chain: list[int] = []
    state = 1
    for text, blocks in turns:
        for place in range(blocks):
            state = ((state ^ (text * 64 + place + 1)) * MIX + (state >> 29)) & MASK
            chain.append(state)
    return tuple(chain)


conversations = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=6
).map(chain_of)
ENDPOINTS = 3


class Twin(RuleBasedStateMachine):
    """The index beside one strict least-recently-used list per endpoint."""

    @initialize(room=st.tuples(*[st.sampled_from((0, 3, 16, 40, 100_000))] * ENDPOINTS))
    def begin(self, room: tuple[int, ...]) -> None:
        self.room = room
        self.index = PrefixIndex(ENDPOINTS, room)
        self.recency: list[OrderedDict[int, None]] = [OrderedDict() for _ in room]
        self.longest = [0] * ENDPOINTS
        self.seen: set[tuple[int, ...]] = set()

    @rule(endpoint=st.integers(0, ENDPOINTS - 1), prefix=conversations)
    def insert(self, endpoint: int, prefix: tuple[int, ...]) -> None:
        self.index.insert(endpoint, prefix)
        kept = prefix[: self.room[endpoint]]
        for block in reversed(kept):  # the first block is the latest used: leaves go first
            self.recency[endpoint][block] = None
            self.recency[endpoint].move_to_end(block)
        self.longest[endpoint] = max(self.longest[endpoint], len(kept))
        self.seen.add(prefix)
        assert self.index.match(prefix).get(endpoint, 0) == len(kept)

    @rule(endpoint=st.integers(0, ENDPOINTS - 1))
    def forget(self, endpoint: int) -> None:
        self.index.forget(endpoint)
        self.recency[endpoint].clear()
        self.longest[endpoint] = 0

    @rule(prefix=conversations)
    def look(self, prefix: tuple[int, ...]) -> None:
        self.compare(prefix)

    def compare(self, prefix: tuple[int, ...]) -> None:
        found = self.index.match(prefix)
        assert all(0 < depth <= len(prefix) for depth in found.values())
        for endpoint, room in enumerate(self.room):
            depth = found.get(endpoint, 0)
            used = list(self.recency[endpoint])
            assert all(block in self.recency[endpoint] for block in prefix[:depth])
            if len(used) <= room:
                exact = next((i for i, b in enumerate(prefix) if b not in used), len(prefix))
                assert depth == exact, "nothing was evicted: the answer is exact"
            else:
                sure = room - max(room // 8, self.longest[endpoint])
                surely = set(used[len(used) - sure :]) if sure > 0 else set[int]()
                least = next((i for i, b in enumerate(prefix) if b not in surely), len(prefix))
                assert depth >= least, "evicted although used too recently"

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "index"):
            return
        for prefix in self.seen:
            self.compare(prefix)
            whole = self.index.match(prefix)
            for size in range(1, len(prefix) + 1):  # nested: no endpoint holds a block with a hole
                part = self.index.match(prefix[:size])
                assert part == {e: min(size, depth) for e, depth in whole.items()}
        for endpoint, room in enumerate(self.room):
            assert self.index.held(endpoint) <= min(room, len(self.recency[endpoint]))


TestTwin = Twin.TestCase
TestTwin.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
