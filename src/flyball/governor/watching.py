"""What does diagnosis keep between two looks: counts, rows of signals, what was found and held?

State only; `period/signs.py` makes the rows, `period/findings.py` judges them.
"""

from collections import deque
from collections.abc import Iterable
from math import log
from typing import Any

import numpy as np

from flyball.diagnosis.drift.streams import Bank
from flyball.diagnosis.finding import Evidence, Finding
from flyball.governor.objectives import counts
from flyball.model.signals import Settled
from flyball.units import Seconds

Row = np.ndarray[Any, Any]

# An hour at the usual interval.
ROWS_MAX = 360
# Of one class since the last look: requests ended, attempts, attempts that brought no answer,
# attempts that repeat another, answers in time, answers, their summed times to the first byte,
# money, prompt tokens asked for and kept.
FIELDS = (
    "ended",
    "attempts",
    "failed",
    "again",
    "in_time",
    "answered",
    "ttft_s",
    "spend_usd",
    "offered",
    "kept",
)
ENDED, ATTEMPTS, FAILED, AGAIN, IN_TIME, ANSWERED, TTFT, SPEND, OFFERED, KEPT = range(len(FIELDS))
Counts = list[float]
# Unlike outcomes of one minute, by endpoint, ending, attempts and what was granted.
KINDS_MAX = 65_536
STEP = 1.0 / 256.0


class Watching:
    """All that diagnosis remembers; `standing` = findings in force, by key, as they were told."""

    def __init__(self) -> None:
        self.due_at: Seconds = float("-inf")
        self.looked_at: Seconds = float("-inf")
        self.is_on = False
        self.counts: dict[str, Counts] = {}
        self.rates: dict[str, float] = {}
        self.generation = -1
        self.names: tuple[str, ...] = ()
        self.rows: deque[Row] = deque(maxlen=ROWS_MAX)
        self.fights: tuple[Finding, ...] = ()
        self.fights_key: object = None
        self.bank: Bank | None = None
        self.bank_key: object = None
        self.drifts: tuple[Finding, ...] = ()
        self.drifts_end: Seconds = float("-inf")
        self.kinds: dict[tuple[int, str, int, bool, str], int] = {}
        self.means = Means()
        self.minute_ends: Seconds = float("-inf")
        self.pools: tuple[str, ...] = ()
        self.seen: dict[str, int] = {}
        self.unseen: dict[str, int] = {}
        self.standing: dict[str, Finding] = {}
        self.margins: tuple[tuple[str, Evidence], ...] = ()
        self.missing: tuple[str, ...] = ()
        self.held: dict[str, str] = {}

    def take(self, batch: Iterable[Settled]) -> None:
        """Count requests that came to an end."""
        if not self.is_on:
            return
        kinds, all_counts = self.kinds, self.counts
        for one in batch:
            found = all_counts.get(one.class_name)
            if found is None:
                continue
            _count(found, one)
            key = (one.endpoint, one.outcome, one.attempts, one.tokens_cut > 0, one.served_model)
            if key in kinds or len(kinds) < KINDS_MAX:
                kinds[key] = kinds.get(key, 0) + 1
            if one.outcome == "served":
                self.means.take(one)


class Means:
    """Sums and counts of what answers are like, since the last minute, in steps of `STEP`: share of
    the prompt that was cached, logarithms of the length and of the time to the first byte over the
    predicted one. Whole steps add up exactly, so that what never varies shows no
    rounding as a change."""

    __slots__ = ("cached", "cached_count", "late", "late_count", "length", "length_count")

    def __init__(self) -> None:
        self.cached = self.length = self.late = 0
        self.cached_count = self.length_count = self.late_count = 0

    def take(self, one: Settled) -> None:
        """One answer."""
        if one.input_tokens > 0:
            self.cached += round(one.cached_tokens / one.input_tokens / STEP)
            self.cached_count += 1
        if one.output_tokens > 0:
            self.length += round(log(one.output_tokens) / STEP)
            self.length_count += 1
        if one.ttft_s > 0.0 and one.ttft_s_predicted > 0.0:
            self.late += round(log(one.ttft_s / one.ttft_s_predicted) / STEP)
            self.late_count += 1


def _count(found: Counts, one: Settled) -> None:
    """A request that its caller did wrong says nothing; one that its caller gave up did fail."""
    is_served = one.outcome == "served"
    if not is_served and one.outcome != "client-gone" and not counts(one):
        return
    more = max(0, one.attempts - 1)
    found[ENDED] += 1.0
    found[ATTEMPTS] += 1.0 + more
    found[FAILED] += more + (not is_served)
    found[AGAIN] += more + one.is_retry
    found[IN_TIME] += one.in_time
    found[SPEND] += one.cost_usd
    found[KEPT] += one.input_tokens
    found[OFFERED] += one.input_tokens + one.tokens_cut
    if one.ttft_s > 0.0:
        found[ANSWERED] += 1.0
        found[TTFT] += one.ttft_s
