"""Which endpoints hold which leading part of this prompt in their cache, as far as we can know?

A prompt's `prefix` is a chain of unsigned 64-bit hashes, entry i standing for blocks 0..i. An
endpoint that was sent a prompt holds all its blocks, and its engine forgets the least recently used
ones, leaves first. The index mirrors that without a linked list. Each endpoint has *generations*,
dicts that act as ordered sets, youngest last. A block that is used moves to the youngest; when an
endpoint holds more than `blocks_max`, the oldest generation loses its last entry first.

Invariant (tested): whatever endpoint holds block i of a chain holds blocks 0..i-1 too. For a use
touches a whole chain at once, ancestors first, so an ancestor is never in an older generation than
its descendant, nor behind it in the same one; and the end of the oldest is what goes. Hence the
holders of a chain's blocks are nested sets, and a lookup bisects to where they change instead of
reading every block.

Precision: with room for N blocks, what is evicted lies among the `max(N/8, longest chain)` least
recently used. Cost: O(log n) to match or to repeat a chain of n blocks, O(1) for each block that is
new or was not used for a generation. Memory: about 110-170 bytes per block and endpoint
(bench/bench_prefix.py), bounded by sum(blocks_max). The table is cut into shards so that no growth
of a dict pauses long.
"""

from collections import deque

from flyball.units import Ratio

_GENERATIONS = 8
_SPARE_BITS = 8
_SWEEP_BLOCKS = 16
_SHARD_BLOCKS = 8_192
_SHARD_BITS_MAX = 12
_CREDIT_GAIN = 1 / 8
_DECODED_MAX = 65_536

Prefix = tuple[int, ...]
_Generation = dict[int, None]


class PrefixIndex:
    """Who holds which blocks; endpoints are numbers 0..endpoints-1.

    `blocks_max[e]` = blocks that fit in endpoint e's KV cache; 0 = it keeps none. `credits[e]` in
    [0, 1] = share of the predicted blocks that the engine really had (read it, multiply by it).
    Raises ValueError if the lengths differ or a capacity is negative.
    """

    def __init__(self, endpoints: int, blocks_max: tuple[int, ...]) -> None:
        if len(blocks_max) != endpoints or any(most < 0 for most in blocks_max):
            raise ValueError(f"need {endpoints} capacities >= 0, got {blocks_max!r}")
        shard_bits = min(_SHARD_BITS_MAX, (sum(blocks_max) // _SHARD_BLOCKS).bit_length())
        self.credits: list[Ratio] = [1.0] * endpoints
        self._blocks_max = blocks_max
        self._shift = 64 - shard_bits
        self._shards: list[dict[int, int]] = [{} for _ in range(1 << shard_bits)]
        self._bits = [1 << place for place in range(endpoints)]
        self._spare = [1 << place for place in range(endpoints, endpoints + _SPARE_BITS)]
        self._owner = {bit: endpoint for endpoint, bit in enumerate(self._bits)}
        self._generations: list[list[_Generation]] = [[{}] for _ in range(endpoints)]
        self._held = [0] * endpoints
        self._leaving: deque[tuple[int, list[_Generation]]] = deque()
        self._decoded: dict[int, tuple[int, ...]] = {}

    def held(self, endpoint: int) -> int:
        """Blocks that this endpoint is thought to hold, at most its `blocks_max`."""
        return self._held[endpoint]

    def match(self, prefix: Prefix) -> dict[int, int]:
        """Endpoint -> how many leading blocks of `prefix` it holds; those with none are absent."""
        if not prefix:
            return {}
        shards, shift, size = self._shards, self._shift, len(prefix)
        first = prefix[0]
        mask = shards[first >> shift].get(first)
        if mask is None:
            return {}
        block = prefix[-1]
        tail = shards[block >> shift].get(block, 0)
        found: dict[int, int] = {}
        last = 0  # a block whose holders are `mask`
        while mask != tail:
            end, after = size - 1, tail  # a later block with other holders: `after`
            while end - last > 1:
                probe = (last + end) >> 1
                block = prefix[probe]
                holders = shards[block >> shift].get(block, 0)
                if holders == mask:
                    last = probe
                else:
                    end, after = probe, holders
            found.update(dict.fromkeys(self._decoded.get(mask) or self._decode(mask), end))
            if not after:
                return found
            last, mask = end, after
        found.update(dict.fromkeys(self._decoded.get(mask) or self._decode(mask), size))
        return found

    def insert(self, endpoint: int, prefix: Prefix) -> None:
        """`endpoint` was sent this prompt: it holds all its blocks now, as the latest used.

        Of a chain longer than the endpoint's capacity the leading part counts.
        """
        most = self._blocks_max[endpoint]
        if len(prefix) > most:
            prefix = prefix[:most]
        if self._leaving:
            self._sweep(_SWEEP_BLOCKS)
        generations = self._generations[endpoint]
        young = generations[-1]
        if not prefix or prefix[-1] in young:
            return
        low, high = 0, len(prefix) - 1  # the first block not in the youngest generation
        while low < high:
            probe = (low + high) >> 1
            if prefix[probe] in young:
                low = probe + 1
            else:
                high = probe
        if young and len(young) + len(prefix) - low > most // _GENERATIONS:
            self._turn(generations)
            low = 0
        self._touch(endpoint, prefix, low)
        if self._held[endpoint] > most:
            self._evict(endpoint)

    def forget(self, endpoint: int) -> None:
        """The endpoint's cache is empty (it was restarted, or left); takes effect at once.

        Its entries are cleared piecemeal by later inserts, so that no call takes long.
        """
        if not self._spare:
            self._sweep(sum(map(len, self._leaving[0][1])))
        bit = self._bits[endpoint]
        self._leaving.append((bit, self._generations[endpoint]))
        del self._owner[bit]
        fresh = self._spare.pop()
        self._bits[endpoint] = fresh
        self._owner[fresh] = endpoint
        self._generations[endpoint] = [{}]
        self._held[endpoint] = 0
        self._decoded.clear()

    def credit(self, endpoint: int, predicted_blocks: int, actual_blocks: float) -> None:
        """Learn from one answer: `predicted_blocks` matched, the engine had `actual_blocks` cached.

        Exponential average of min(1, actual/predicted) with gain 1/8; nothing predicted, nothing
        learnt.
        """
        if predicted_blocks > 0:
            ratio = min(1.0, max(0.0, actual_blocks / predicted_blocks))
            self.credits[endpoint] += _CREDIT_GAIN * (ratio - self.credits[endpoint])

    def _decode(self, mask: int) -> tuple[int, ...]:
        """The endpoints in a mask of holders; bits of forgotten contents stand for nobody."""
        endpoints: list[int] = []
        rest = mask
        while rest:
            bit = rest & -rest
            rest ^= bit
            if bit in self._owner:
                endpoints.append(self._owner[bit])
        if len(self._decoded) >= _DECODED_MAX:
            self._decoded.clear()
        self._decoded[mask] = result = tuple(endpoints)
        return result

    def _turn(self, generations: list[_Generation]) -> None:
        """Open a new youngest generation; fold the oldest two where there are too many.

        The older one goes behind the younger, so that it is still evicted first, leaves first.
        """
        generations[:] = [generation for generation in generations if generation]
        if len(generations) >= 2 * _GENERATIONS:
            oldest = generations.pop(0)
            generations[0].update(oldest)
        generations.append({})

    def _touch(self, endpoint: int, prefix: Prefix, start: int) -> None:
        """Move blocks start.. of the chain into the youngest generation, ancestors first."""
        shards, shift, bit = self._shards, self._shift, self._bits[endpoint]
        young, *older = reversed(self._generations[endpoint])
        added = 0
        for block in prefix[start:]:
            shard = shards[block >> shift]
            mask = shard.get(block)
            if mask is None:
                shard[block] = bit
                added += 1
            elif not mask & bit:
                shard[block] = mask | bit
                added += 1
            else:
                for generation in older:
                    if block in generation:
                        del generation[block]
                        break
            young[block] = None
        self._held[endpoint] += added

    def _evict(self, endpoint: int) -> None:
        generations, bit = self._generations[endpoint], self._bits[endpoint]
        excess = self._held[endpoint] - self._blocks_max[endpoint]
        self._held[endpoint] -= excess
        while excess > 0:
            if not generations[0]:
                del generations[0]
                continue
            self._clear(generations[0].popitem()[0], bit)
            excess -= 1

    def _sweep(self, blocks: int) -> None:
        """Clear that many entries of what was forgotten; a bit wiped clean can be lent again."""
        bit, generations = self._leaving[0]
        while blocks > 0 and generations:
            if generations[-1]:
                self._clear(generations[-1].popitem()[0], bit)
                blocks -= 1
            else:
                generations.pop()
        if not any(generations):
            self._leaving.popleft()
            self._spare.append(bit)
            self._decoded.clear()

    def _clear(self, block: int, bit: int) -> None:
        shard = self._shards[block >> self._shift]
        mask = shard[block] ^ bit
        if mask:
            shard[block] = mask
        else:
            del shard[block]
