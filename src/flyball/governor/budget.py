"""How many retries may the whole fleet still afford? (A token bucket fed by successes.)

Each success puts in `ratio` of a token, each retry takes one: retries stay below `ratio` of the
successes whatever fails (Brooker 2022, "Fixing retries with token buckets and circuit breakers").
"""


class RetryBudget:
    """Bounded by `tokens_max`; starts at a tenth of it, so that a cold start may retry a little."""

    __slots__ = ("ratio", "tokens", "tokens_max")

    def __init__(self, ratio: float, tokens_max: float) -> None:
        self.ratio = ratio
        self.tokens_max = tokens_max
        self.tokens = 0.1 * tokens_max

    def earn(self) -> None:
        """One request succeeded."""
        self.tokens = min(self.tokens_max, self.tokens + self.ratio)

    def spend(self) -> bool:
        """Take one token if there is one."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True
