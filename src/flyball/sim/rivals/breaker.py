"""May an endpoint be tried, after it failed several times in a row? (A circuit breaker.)"""

from collections import deque

from flyball.units import Seconds


class Breaker:
    """Opens at `failures_max` failures in a row within `window_s`; after `open_s` half open, when
    `successes_min` successes in a row close it and one failure opens it again."""

    def __init__(
        self, failures_max: int, successes_min: int, open_s: Seconds, window_s: Seconds
    ) -> None:
        self._failures_max, self._successes_min = failures_max, successes_min
        self._open_s, self._window_s = open_s, window_s
        self._failures: deque[Seconds] = deque(maxlen=failures_max)
        self._opened_at: Seconds | None = None
        self._on_trial = False
        self._successes = 0

    def may_try(self, at: Seconds) -> bool:
        """Closed, or open for long enough."""
        if self._opened_at is not None and at - self._opened_at >= self._open_s:
            self._opened_at, self._on_trial, self._successes = None, True, 0
        return self._opened_at is None

    def succeeded(self) -> None:
        """A good answer."""
        self._failures.clear()
        self._successes += 1
        if self._successes >= self._successes_min:
            self._on_trial = False

    def failed(self, at: Seconds) -> None:
        """A failure, or a deadline passed."""
        self._successes = 0
        self._failures.append(at)
        full = len(self._failures) == self._failures_max
        if self._on_trial or (full and at - self._failures[0] <= self._window_s):
            self._opened_at, self._on_trial = at, False
            self._failures.clear()
