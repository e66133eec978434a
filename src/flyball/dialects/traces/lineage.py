"""Which conversation does a request continue, judged by the prefix blocks it shares?

Traces with block ids seldom name the session. The last turn's blocks are a prefix of the next
turn's, so the deepest block that only one conversation has used names it. The first block is
left out: it is the system prompt that all share.
"""

BLOCKS_MAX = 1_000_000


class Lineage:
    """Names sessions from block ids; remembers at most `blocks_max` blocks (oldest forgotten)."""

    def __init__(self, blocks_max: int = BLOCKS_MAX) -> None:
        self._owner: dict[int, str] = {}
        self._blocks_max = blocks_max
        self._count = 0

    def session(self, blocks: tuple[int, ...]) -> str:
        """The session of a request with these leading blocks; a new name if it continues none."""
        own = blocks[1:]
        owner = self._owner
        name = next((owner[block] for block in reversed(own) if block in owner), "")
        if not name:
            self._count += 1
            name = f"s{self._count}"
        for block in own:
            owner.setdefault(block, name)
        while len(owner) > self._blocks_max:
            del owner[next(iter(owner))]
        return name
