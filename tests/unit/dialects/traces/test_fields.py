"""Are the faults that all tables share told with place and next step?"""

import pytest

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceError


def test_missing_columns_are_named_with_those_found() -> None:
    with pytest.raises(TraceError) as caught:
        list(fields.table([b"a,b\n", b"1,2\n"], "f.csv", Tally(), ("a", "when", "much")))
    assert "f.csv:1: no column when, much (found: a, b)" in str(caught.value)


def test_empty_file() -> None:
    with pytest.raises(TraceError, match=r"f.csv: the file is empty"):
        list(fields.table([], "f.csv", Tally(), ("a",)))


def test_blank_lines_are_passed_and_quotes_kept_together() -> None:
    lines = [b"a,b\n", b"\n", b'"x,y",2\n']
    assert list(fields.table(lines, "f", Tally(), ("b", "a"))) == [(3, ["2", "x,y"])]


def test_absent_optional_cell_is_blank() -> None:
    assert list(fields.table([b"a\n", b"1\n"], "f", Tally(), ("a",), ("z",))) == [(2, ["1", ""])]


@pytest.mark.parametrize("value", ["", "x", "inf", "-1", "nan", -0.5])
def test_times_are_finite_and_not_negative(value: str | float) -> None:
    with pytest.raises(TraceError, match="f:7: at is"):
        fields.seconds(value, "f", 7, "at")


def test_counts_may_be_written_as_floats() -> None:
    assert fields.count("12.0", "f", 1, "n") == 12
