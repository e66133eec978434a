"""Are columns of anybody's table read as mapped, and faults named with row and column?"""

from typing import Any

import msgspec
import pytest

from flyball.dialects.telemetry.csvmap import Columns, ColumnShape, TableShape, answers, calls
from flyball.dialects.traces.row import TraceError

HEADER = ["ts", "cluster", "ms", "ok", "routes"]
SHAPE = TableShape(
    rows="calls",
    columns={
        "at": ColumnShape(column="ts", unit="ms"),
        "pool": "cluster",
        "e2e_s": ColumnShape(column="ms", scale=0.001),
        "outcome": "ok",
        "candidates": "routes",
    },
)
GOOD = ["1800000000000", "fast", "2500", "true", "a=0.75 b=0.25"]


def read(row: list[Any], shape: TableShape = SHAPE) -> Any:
    return next(calls(Columns(shape, HEADER, "f"), [(2, row)]))


def test_a_row_is_a_call() -> None:
    intent, outcome = read(GOOD)
    assert (intent.at, intent.pool, outcome.e2e_s) == (1.8e9, "fast", 2.5)
    assert outcome.outcome == "served" and outcome.at == 1.8e9 + 2.5
    assert [one.propensity for one in intent.candidates] == [0.75, 0.25]
    assert read([*GOOD[:3], "retried", ""])[1].outcome == "retried"
    assert read([*GOOD[:3], "0", ""])[1].outcome == "failed"


@pytest.mark.parametrize(
    ("place", "cell", "words"),
    [
        (0, "yesterday", "f:2: ts is 'yesterday', not a number"),
        (0, "1800000000", "f:2: ts .* no time of this century"),
        (2, "fast", "f:2: ms is 'fast', not a number"),
        (3, "perhaps", "f:2: no outcome: 'perhaps'"),
        (4, "a:0.5", "f:2: no candidate: 'a:0.5'"),
        (4, "a=1.5", "f:2: no candidate"),
    ],
)
def test_a_bad_cell_is_named(place: int, cell: str, words: str) -> None:
    row = list(GOOD)
    row[place] = cell
    with pytest.raises(TraceError, match=words):
        read(row)


def test_times_in_iso() -> None:
    shape = TableShape(
        rows="calls", columns={"at": ColumnShape(column="ts", unit="iso"), "pool": "cluster"}
    )
    assert read(["2027-01-15T08:00:00Z", *GOOD[1:]], shape)[0].at == 1.8e9
    with pytest.raises(TraceError, match="not a time in ISO 8601"):
        read(["15.1.2027", *GOOD[1:]], shape)


def test_unknown_columns_and_facts_are_named_with_the_nearest() -> None:
    with pytest.raises(TraceError, match=r"no column 'clusters'\. Did you mean 'cluster'"):
        Columns(TableShape(rows="calls", columns={"pool": "clusters"}), HEADER, "f")
    with pytest.raises(TraceError, match=r"named 'pol'\. Did you mean 'pool'"):
        Columns(TableShape(rows="calls", columns={"pol": "cluster"}), HEADER, "f")
    with pytest.raises(TraceError, match="no column is mapped to at"):
        list(calls(Columns(TableShape(rows="calls", columns={"pool": "cluster"}), HEADER, "f"), []))


def test_answers_of_canaries() -> None:
    shape = TableShape(
        rows="answers", columns={"prompt": "p", "backend": "b", "seed": "s", "outcome": "o"}
    )
    (one,) = answers(Columns(shape, ["p", "b", "s", "o"], "f"), [(2, ["q", "fast", "3", "yes"])])
    assert (one.prompt, one.backend, one.seed, one.outcome) == ("q", "fast", 3, 1.0)


def test_a_shape_refuses_keys_that_it_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"rows": "calls", "columns": {}, "more": 1}, TableShape)
