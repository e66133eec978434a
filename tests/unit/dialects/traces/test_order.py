"""Are rows sorted within the window, skipped ones counted, and worse disorder refused?"""

import pytest

from flyball.dialects.traces.order import in_order
from flyball.dialects.traces.row import Tally, TraceError, TraceRow


def _rows(*times: float) -> list[tuple[int, TraceRow]]:
    return [
        (i, TraceRow(at_s=at, input_tokens=1, output_tokens=1)) for i, at in enumerate(times, 2)
    ]


def test_sorts_and_starts_at_zero() -> None:
    tally = Tally()
    rows = list(in_order(_rows(7.0, 5.0, 6.0, 9.0), "f", tally, 3))
    assert [row.at_s for row in rows] == [0.0, 1.0, 2.0, 4.0]
    assert (tally.kept, tally.reordered) == (4, 2)
    assert tally.gap_s_max == 2.0


def test_disorder_beyond_the_window_names_the_line() -> None:
    with pytest.raises(TraceError, match=r"f:5: the time is 2.000 s before a row 2 rows ago"):
        list(in_order(_rows(1.0, 4.0, 8.0, 2.0), "f", Tally(), 2))


def test_equal_times_keep_file_order() -> None:
    rows = [(line, TraceRow(at_s=1.0, input_tokens=line, output_tokens=1)) for line in (2, 3, 4)]
    assert [row.input_tokens for row in in_order(rows, "f", Tally(), 2)] == [2, 3, 4]


def test_nothing_left_says_why() -> None:
    empty = [(2, TraceRow(at_s=0.0, input_tokens=3, output_tokens=0))]
    with pytest.raises(TraceError, match=r"no request is left in it .*no output tokens"):
        list(in_order(empty, "f", Tally(), 2))
    with pytest.raises(TraceError, match="header only"):
        list(in_order([], "f", Tally(), 2))
