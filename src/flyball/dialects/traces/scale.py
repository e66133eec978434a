"""How is a trace made shorter, faster or thinner without changing its character?

Time is compressed by one factor for the whole trace: every inter-arrival shrinks alike, so the
coefficient of variation, the burst shape and the order stay. Thinning keeps or drops whole
sessions, so prefix sharing and turn order inside a session stay.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import xxhash
from msgspec import Struct
from msgspec.structs import replace

from flyball.dialects.traces.row import TraceRow
from flyball.units import Ratio, Seconds


class Extent(Struct, frozen=True, kw_only=True):
    """How many requests a trace has, over which time, with how many tokens."""

    rows: int
    duration_s: Seconds
    input_tokens: int
    output_tokens: int

    @property
    def rate_rps(self) -> float:
        """Mean arrivals per second: intervals over duration; 0 if all came at one instant."""
        return (self.rows - 1) / self.duration_s if self.duration_s > 0 else 0.0


def extent(rows: Iterable[TraceRow]) -> Extent:
    """One pass over `rows`; holds none of them."""
    count, last_s, given, made = 0, 0.0, 0, 0
    for row in rows:
        count += 1
        last_s = row.at_s
        given += row.input_tokens
        made += row.output_tokens
    return Extent(rows=count, duration_s=last_s, input_tokens=given, output_tokens=made)


def faster(rows: Iterable[TraceRow], speed: float) -> Iterator[TraceRow]:
    """Every time divided by `speed` (> 0); ValueError otherwise."""
    if not speed > 0:
        raise ValueError(f"speed is {speed}: it must be above 0")
    return (replace(row, at_s=row.at_s / speed) for row in rows)


def speed_for_rate(known: Extent, rate_rps: float) -> float:
    """The factor that gives a mean of `rate_rps`; ValueError if the trace has no duration."""
    if known.rate_rps <= 0:
        raise ValueError("a rate needs a trace with requests at two or more times")
    return rate_rps / known.rate_rps


def thinned(rows: Iterable[TraceRow], keep: Ratio, seed: int = 0) -> Iterator[TraceRow]:
    """A share `keep` in (0, 1] of the sessions, whole; rows without a session one by one.

    Which are kept depends on `seed` and the session's name alone. ValueError if out of range.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"the share to keep is {keep}: it must be above 0 and at most 1")
    bound = keep * 2**64
    for number, row in enumerate(rows):
        name = (row.session or f"\0{number}").encode()
        if xxhash.xxh3_64_intdigest(name, seed=seed) < bound:
            yield row


def head(rows: Iterable[TraceRow], count: int) -> Iterator[TraceRow]:
    """The first `count` rows."""
    return islice(rows, count)


def tail(rows: Iterable[TraceRow], count: int) -> Iterator[TraceRow]:
    """The last `count` rows, from 0 s again; holds that many."""
    return rebased(deque(rows, maxlen=count))


def window(rows: Iterable[TraceRow], begin_s: Seconds, end_s: Seconds) -> Iterator[TraceRow]:
    """Rows from `begin_s` up to before `end_s`, with `begin_s` as the new zero."""
    for row in rows:
        if row.at_s >= end_s:
            return
        if row.at_s >= begin_s:
            yield replace(row, at_s=row.at_s - begin_s) if begin_s else row


def rebased(rows: Iterable[TraceRow]) -> Iterator[TraceRow]:
    """The same rows with the first at 0 s."""
    origin_s: float | None = None
    for row in rows:
        origin_s = row.at_s if origin_s is None else origin_s
        yield replace(row, at_s=row.at_s - origin_s) if origin_s else row
