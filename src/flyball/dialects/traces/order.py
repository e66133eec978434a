"""Which rows of a trace may be replayed, and in which order?

Rows without input or output tokens are counted and skipped: there is nothing to send or to wait
for, and a model asked for no tokens answers with an error. Rows are sorted inside a bounded window.
"""

import heapq
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from flyball.dialects.traces.row import Tally, TraceError, TraceRow


def in_order(
    rows: Iterable[tuple[int, TraceRow]], place: str, tally: Tally, window_rows: int
) -> Iterator[TraceRow]:
    """Rows by time, the first at 0 s; at most `window_rows` rows are held.

    Raises TraceError if a row is out of order by more than the window, or if no row is left.
    """
    held: list[tuple[float, int, TraceRow]] = []
    newest_s = float("-inf")
    origin_s: float | None = None
    passed_s = float("-inf")
    for line, row in rows:
        tally.rows += 1
        if _is_empty(row, tally):
            continue
        if row.at_s < passed_s:
            raise TraceError(
                f"{place}:{line}",
                f"the time is {passed_s - row.at_s:.3f} s before a row {window_rows:,} rows ago",
                "Sort the file by time",
            )
        tally.reordered += row.at_s < newest_s
        newest_s = max(newest_s, row.at_s)
        heapq.heappush(held, (row.at_s, line, row))
        if len(held) >= window_rows:
            at_s, _, first = heapq.heappop(held)
            origin_s = at_s if origin_s is None else origin_s
            yield _placed(first, at_s, origin_s, passed_s, tally)
            passed_s = at_s
    for at_s, _, row in sorted(held, key=lambda entry: entry[:2]):
        origin_s = at_s if origin_s is None else origin_s
        yield _placed(row, at_s, origin_s, passed_s, tally)
        passed_s = at_s
    if tally.kept == 0:
        skipped = "; ".join(tally.notes()) or "it has a header only"
        raise TraceError(
            place, f"no request is left in it ({skipped})", "Give a trace with requests"
        )


def _is_empty(row: TraceRow, tally: Tally) -> bool:
    tally.zero_input += row.input_tokens == 0
    tally.zero_output += row.output_tokens == 0 < row.input_tokens
    return row.input_tokens == 0 or row.output_tokens == 0


def _placed(row: TraceRow, at_s: float, origin_s: float, passed_s: float, tally: Tally) -> TraceRow:
    tally.kept += 1
    if passed_s > float("-inf"):
        tally.gap_s_max = max(tally.gap_s_max, at_s - passed_s)
    return replace(row, at_s=at_s - origin_s)
