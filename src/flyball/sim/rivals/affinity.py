"""Which endpoint does a rival believe to hold which leading part of a prompt?

Every rival here keeps an index of what it sent where, bounded per endpoint, least recently used
first out; they differ in its size and in what they do with a match. One index serves all:
`governor.prefix.PrefixIndex`, whose eviction is near-LRU (see there).
"""

from collections.abc import Sequence

from flyball.governor.prefix import PrefixIndex
from flyball.sim.rivals.router import Ask, Setting
from flyball.units import Ratio, Tokens


class Affinity:
    """An index with room for `tokens_max[e]` tokens of endpoint e; looks at no more than
    `prefix_tokens_max` leading tokens of a prompt (0 = at all)."""

    def __init__(
        self, setting: Setting, tokens_max: Sequence[Tokens], prefix_tokens_max: Tokens = 0
    ) -> None:
        self.block_tokens = setting.block_tokens
        self._blocks_max = prefix_tokens_max // self.block_tokens
        blocks = tuple(max(1, tokens // self.block_tokens) for tokens in tokens_max)
        self._index = PrefixIndex(len(blocks), blocks)

    def _prefix(self, ask: Ask) -> tuple[int, ...]:
        prefix = ask.head.prefix
        return prefix[: self._blocks_max] if self._blocks_max else prefix

    def match(self, ask: Ask) -> dict[int, int]:
        """Endpoint number -> leading blocks that it holds; endpoints with none are absent."""
        return self._index.match(self._prefix(ask))

    def ratio(self, ask: Ask, blocks: int) -> Ratio:
        """Matched blocks over all blocks of the prompt."""
        return blocks / ask.prefix_blocks if blocks else 0.0

    def sent(self, ask: Ask, endpoint: int) -> None:
        """The prompt went there: its blocks are the latest used. Sets the ask's cached tokens."""
        blocks = self.match(ask).get(endpoint, 0)
        ask.cached_tokens = min(blocks * self.block_tokens, ask.prompt_tokens)
        self._index.insert(endpoint, self._prefix(ask))

    def forget(self, endpoint: int) -> None:
        """The endpoint left."""
        self._index.forget(endpoint)


def engine_tokens(setting: Setting) -> list[Tokens]:
    """The KV capacity of each endpoint, tokens, as its engine tells it."""
    pools = {pool.name: pool for pool in setting.fleet.pools}
    return [pools[one.pool].profile.limits.kv_tokens_max for one in setting.fleet.endpoints]
