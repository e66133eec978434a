"""Is every number that a gateway gave to a request accounted for by a record?

Ids are `req_` + 11 hex digits of Unix ms + 2 of the worker + 6 of a counter + 5 drawn at its start:
worker and drawn part name a run, within which the counter goes up by one. Of requests turned away
only the first few are named, so a `TurnedAway` excuses as many numbers as it counts beyond them.
What was held at the gate when a gateway was killed has a number and no record: gaps in a run's last
`END_S` are told apart from the others.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from flyball.model.decision import Intent, Outcome, Record, TurnedAway
from flyball.units import Seconds, seconds_from_ms

END_S: Seconds = 60.0
GAPS_MAX = 65_536  # numbers that may wait for their record, in each run
_RUN_ID = re.compile(r"req_([0-9a-f]{11})([0-9a-f]{2})([0-9a-f]{6})([0-9a-f]{5})")


class Gap(Struct, frozen=True):
    """Numbers of a run without a record. `at_end` = they may have been held when it ended."""

    run: str
    count: int
    at_end: bool

    @property
    def text(self) -> str:
        """As a sentence."""
        what = "request has" if self.count == 1 else "requests have"
        when = " in its last minute: held at the gate when it was ended?" if self.at_end else "."
        return f"{self.count} {what} no record in the gateway run {self.run}{when}"


class _Run:
    """Counters seen: all below `next` are, apart from `absent`, whose values are arrival times."""

    def __init__(self, first: int, at: Seconds) -> None:
        self.next = first
        self.newest_at = at
        self.absent: dict[int, Seconds] = {}
        self.given_up: int = 0
        self.excused = 0

    def add(self, count: int, at: Seconds) -> None:
        self.newest_at = max(self.newest_at, at)
        if count < self.next:
            self.absent.pop(count, None)
            return
        for missing in range(self.next, min(count, self.next + GAPS_MAX)):
            self.absent[missing] = at
        self.given_up += max(0, count - self.next - GAPS_MAX)
        self.next = count + 1
        while len(self.absent) > GAPS_MAX:
            del self.absent[next(iter(self.absent))]
            self.given_up += 1


class Runs:
    """Takes the records of all logs of one gateway, about in their order of time.

    `is_cut`: older records were pruned, so that a run may begin with any number.
    """

    def __init__(self, is_cut: bool = False) -> None:
        self._runs: dict[str, _Run] = {}
        self._is_cut = is_cut

    def add(self, record: Record) -> None:
        """Take the next record."""
        if isinstance(record, TurnedAway):
            for name in record.ids:
                self._note(name)
            if parts := _RUN_ID.fullmatch(record.id):
                run = self._runs[parts[2] + parts[4]]
                run.excused += record.count - len(record.ids)
        elif isinstance(record, Intent | Outcome):
            self._note(record.id)

    def _note(self, name: str) -> None:
        parts = _RUN_ID.fullmatch(name)
        if parts is None:
            return
        key, count = parts[2] + parts[4], int(parts[3], 16)
        at = seconds_from_ms(int(parts[1], 16))
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = _Run(count if self._is_cut else 1, at)
        run.add(count, at)

    def gaps(self) -> Iterator[Gap]:
        """What is left without a record, run by run."""
        for name, run in self._runs.items():
            last = sum(at >= run.newest_at - END_S for at in run.absent.values())
            early = run.given_up + len(run.absent) - last
            left = max(0, early - run.excused)
            last = max(0, last - max(0, run.excused - early))
            if left:
                yield Gap(name, left, at_end=False)
            if last:
                yield Gap(name, last, at_end=True)
