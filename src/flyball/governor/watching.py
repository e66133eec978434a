"""What does diagnosis keep between two looks: counts, rows of signals, what was found and held?

State only; `period/signs.py` makes the rows, `period/findings.py` judges them.
"""

from collections import deque
from collections.abc import Iterable
from math import log
from typing import Any

import numpy as np

from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.streams import Bank
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
        for one in batch:
            found = self.counts.get(one.class_name)
            if found is not None:
                _count(found, one)
                if self.bank is not None:
                    self._feed(self.bank, one)

    def _feed(self, bank: Bank, one: Settled) -> None:
        """What an outcome says of drift: the standard streams, from what is settled."""
        bank.count("control/ending", one.outcome)
        bank.count("control/attempt", str(one.attempts) if one.attempts < 4 else "more")
        if one.endpoint < 0:
            return
        bank.count("control/kept", "cut" if one.tokens_cut else "whole")
        bank.count("control/tier", "other" if one.served_model else "asked")
        if one.endpoint < len(self.pools):
            bank.count("control/pool", self.pools[one.endpoint])
        if one.outcome != "served":
            return
        if one.input_tokens > 0:
            bank.add("inference/cached", [one.cached_tokens / one.input_tokens])
        if one.output_tokens > 0:
            bank.add("model/length", [_log(one.output_tokens)])
        if one.ttft_s > 0.0 and one.ttft_s_predicted > 0.0:
            bank.add("inference/ttft", [_log(one.ttft_s / one.ttft_s_predicted)])


def _log(value: float) -> float:
    """Natural logarithm in steps of 1/256: means of these are exact also where they are kept as
    32-bit numbers, so that a stream which never varies shows no rounding as a change."""
    return round(256.0 * log(value)) / 256.0


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
