"""How do samples of many series, each at its own times, become columns at one step?

A gauge holds from one sample to the next (for at most `names.STALE_S`); a counter's increase is
spread over the time it took. What the series of one column say in a step is summed, or averaged
for shares. Memory is bounded by the columns and steps, never by the samples.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from flyball.diagnosis.signals import Happening, Signals
from flyball.dialects.telemetry.names import STALE_S
from flyball.dialects.traces.row import TraceError
from flyball.units import Seconds

Array = np.ndarray[Any, Any]
SERIES_MAX = 200_000
STEPS_MAX = 600_000


class Series:
    """One series on its way into a column. Times must grow from sample to sample."""

    __slots__ = ("at", "column", "is_counter", "scale", "value")

    def __init__(self, column: "Column", is_counter: bool, scale: float) -> None:
        self.column, self.is_counter, self.scale = column, is_counter, scale
        self.at = self.value = float("nan")

    def add(self, at: Seconds, value: float, is_delta: bool = False) -> None:
        """One sample. Raises ValueError for a time before, or another value at the same time as,
        the one before."""
        before, last = self.at, self.value
        if at <= before:
            if at == before and (value == last or is_delta):
                return
            if at == before:
                raise ValueError(
                    f"two values at {at:.3f} s, {last:g} and {value:g}: a series twice"
                )
            raise ValueError(f"{at:.3f} s comes after {before:.3f} s: times run backward")
        if before == before:
            if self.is_counter:
                # A counter that fell was reset: what it shows has come since (as rate() has it).
                grown = value if is_delta or value < last else value - last
                if at - before <= STALE_S:
                    self.column.spread(before, at, grown * self.scale)
            else:
                self.column.hold(before, min(at, before + STALE_S), last * self.scale)
        self.at, self.value = at, value


class Column:
    """Sums and counts of one quantity per step. A row i ends at (i + 1) * step."""

    def __init__(self, step_s: Seconds) -> None:
        self.step_s = step_s
        self.sums: dict[int, float] = {}
        self.counts: dict[int, int] = {}

    def hold(self, begin: Seconds, end: Seconds, value: float) -> None:
        """A gauge's value in each step whose end lies in [begin, end)."""
        first, last = int(-(-begin // self.step_s)), int(-(-end // self.step_s))
        for row in range(first, last):
            self.sums[row] = self.sums.get(row, 0.0) + value
            self.counts[row] = self.counts.get(row, 0) + 1

    def spread(self, begin: Seconds, end: Seconds, grown: float) -> None:
        """An increase, evenly over the steps from `begin` to `end`."""
        step_s, each = self.step_s, grown / (end - begin)
        row = int(begin // step_s) + 1
        at = begin
        while at < end:
            upto = min(row * step_s, end)
            self.sums[row] = self.sums.get(row, 0.0) + each * (upto - at)
            self.counts[row] = self.counts.get(row, 0) + 1
            at = upto
            row += 1

    def values(self, first: int, rows: int, is_mean: bool) -> Array:
        """The steps from `first` on, NaN where nothing was told."""
        found = np.full(rows, np.nan)
        for row, total in self.sums.items():
            place = row - first
            if 0 <= place < rows:
                found[place] = total / self.counts[row] if is_mean else total
        return found


class Grid:
    """Columns by key, all at one step."""

    def __init__(self, step_s: Seconds) -> None:
        self.step_s = step_s
        self.columns: dict[Any, Column] = {}
        self.series = 0

    def series_of(self, key: Any, is_counter: bool, scale: float = 1.0) -> Series:
        """A new series of the column `key`. Raises TraceError when there are too many."""
        self.series += 1
        if self.series > SERIES_MAX:
            step = "Dump fewer of them: only the metrics that the guide names are read"
            raise TraceError("the input", f"more than {SERIES_MAX:,} series of known metrics", step)
        return Series(self.column(key), is_counter, scale)

    def column(self, key: Any) -> Column:
        """The column of a key, made if it is new."""
        return self.columns.setdefault(key, Column(self.step_s))

    def span(self) -> tuple[int, int]:
        """First row and number of rows that any column has. Raises TraceError for too many."""
        ends = [(min(one.sums), max(one.sums)) for one in self.columns.values() if one.sums]
        if not ends:
            return 0, 0
        first, last = min(low for low, _ in ends), max(high for _, high in ends)
        rows = last - first + 1
        if rows > STEPS_MAX:
            days = rows * self.step_s / 86_400
            step = f"Give --step of at least {days * 86_400 / STEPS_MAX:.0f} s, or less time"
            raise TraceError("the input", f"{days:,.0f} days at {self.step_s:g} s a row", step)
        return first, rows


def signals(
    columns: Mapping[str, Array],
    first: int,
    step_s: Seconds,
    events: tuple[Happening, ...] = (),
) -> Signals:
    """Columns of equal length as Signals; row i ends at (first + i) * step."""
    names = tuple(sorted(columns))
    rows = len(columns[names[0]]) if names else 0
    values = np.empty((rows, len(names)))
    for index, name in enumerate(names):
        values[:, index] = columns[name]
    return Signals(names=names, step_s=step_s, values=values, begin_s=first * step_s, events=events)


def joined(tables: Iterable[Signals]) -> Signals | None:
    """Several tables as one, at the coarsest of their steps; of a signal told twice the first
    table's counts, and where that has a gap the next one's. None = there was no table."""
    some = [one for one in tables if one.names and len(one.values)]
    if not some:
        return None
    step_s = max(one.step_s for one in some)
    first = min(round(one.begin_s / step_s) for one in some)
    last = max(round(one.end_s / step_s) for one in some)
    columns: dict[str, Array] = {}
    for one in some:
        rows = np.round(one.times_s / step_s).astype(int) - first
        for index, name in enumerate(one.names):
            known = columns.setdefault(name, np.full(last - first + 1, np.nan))
            fresh = _means(rows, one.values[:, index], len(known))
            columns[name] = np.where(np.isfinite(known), known, fresh)
    events = tuple(sorted((event for one in some for event in one.events), key=lambda e: e.at))
    return signals(columns, first, step_s, events)


def _means(rows: Array, values: Array, count: int) -> Array:
    known = np.isfinite(values)
    sums = np.bincount(rows[known], weights=values[known], minlength=count)
    counts = np.bincount(rows[known], minlength=count)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
