"""Was this id used before? (Bounded memory for what may be used a single time.)"""

from collections import OrderedDict

from flyball.units import Seconds

ONCE_MAX = 65_536


class Once:
    """Remembers each id for `keep_s`. Full of ids that still count, it refuses new ones: what
    cannot be remembered could be used twice."""

    def __init__(self, keep_s: Seconds, ids_max: int = ONCE_MAX) -> None:
        self._keep_s = keep_s
        self._ids_max = ids_max
        self._seen: OrderedDict[str, Seconds] = OrderedDict()

    def use(self, one: str, at: Seconds) -> bool:
        """Whether this is the first use, and can be remembered."""
        seen = self._seen
        while seen and next(iter(seen.values())) + self._keep_s < at:
            seen.popitem(last=False)
        if one in seen or len(seen) >= self._ids_max:
            return False
        seen[one] = at
        return True
