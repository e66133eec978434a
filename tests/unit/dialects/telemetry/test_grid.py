"""Do samples at any times become the right columns, with increases neither lost nor doubled?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.dialects.telemetry import grid
from flyball.dialects.telemetry.grid import Grid
from flyball.dialects.traces.row import TraceError

T0 = 1_800_000_000.0
GAPS = st.lists(st.floats(0.5, 250.0), min_size=1, max_size=40)


@given(GAPS, st.data())
def test_a_counters_increase_is_spread_whole(gaps: list[float], data: st.DataObject) -> None:
    grown = data.draw(st.lists(st.floats(0, 1e4), min_size=len(gaps), max_size=len(gaps)))
    made = Grid(10.0)
    series = made.series_of("x", is_counter=True)
    at, value = T0, 5.0
    series.add(at, value)
    for gap, more in zip(gaps, grown, strict=True):
        at, value = at + gap, value + more
        series.add(at, value)
    first, rows = made.span()
    total = np.nansum(made.column("x").values(first, rows, False)) if rows else 0.0
    assert total == pytest.approx(value - 5.0, abs=1e-3)


def test_a_counter_that_fell_was_reset() -> None:
    made = Grid(10.0)
    series = made.series_of("x", is_counter=True)
    for at, value in ((0.0, 100.0), (10.0, 130.0), (20.0, 7.0)):
        series.add(T0 + at, value)
    first, rows = made.span()
    assert made.column("x").values(first, rows, False).tolist() == [30.0, 7.0]


def test_gauges_hold_until_stale_and_are_summed_or_averaged() -> None:
    made = Grid(10.0)
    one, other = made.series_of("x", False), made.series_of("x", False, scale=2.0)
    for at in (0.0, 15.0, 30.0):
        one.add(T0 + at, 4.0)
        other.add(T0 + at, 3.0)
    first, rows = made.span()
    assert made.column("x").values(first, rows, False).tolist() == [10.0] * 3
    assert made.column("x").values(first, rows, True).tolist() == [5.0] * 3
    one.add(T0 + 1000.0, 4.0)
    first, rows = made.span()
    assert rows == 33  # 300 s from the sample at 30 s, and no more


@pytest.mark.parametrize(("at", "value", "words"), [(T0, 2.0, "twice"), (T0 - 1, 1.0, "backward")])
def test_a_series_given_twice_or_backward_is_an_error(at: float, value: float, words: str) -> None:
    series = Grid(10.0).series_of("x", False)
    series.add(T0, 1.0)
    series.add(T0, 1.0)
    with pytest.raises(ValueError, match=words):
        series.add(at, value)


def test_too_long_a_time_is_an_error_that_names_a_step() -> None:
    made = Grid(1.0)
    made.column("x").sums.update({0: 1.0, grid.STEPS_MAX * 3: 1.0})
    with pytest.raises(TraceError, match="--step of at least 3 s"):
        made.span()


def test_tables_are_joined_at_the_coarser_step() -> None:
    fine = grid.signals({"a": np.arange(6.0), "b": np.ones(6)}, 100, 5.0)
    coarse = grid.signals({"b": np.array([np.nan, 7.0, 8.0, 9.0])}, 49, 10.0)
    whole = grid.joined([fine, coarse])
    assert whole is not None and whole.step_s == 10.0 and whole.begin_s == 490.0
    assert whole.column("b").tolist()[1:4] == [1.0, 1.0, 1.0]
    assert np.nansum(whole.column("b")) == pytest.approx(
        3.0 + (9.0 if len(whole.values) > 4 else 0)
    )
    assert grid.joined([]) is None
