"""Does the signals table keep its shape, and say what is wrong with one that does not?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.signals import Happening, Signals, from_columns

TABLE = Signals(
    names=("plant.latency_s", "loop.router.setpoint", "loop.router.saturated"),
    step_s=10.0,
    values=np.arange(12.0).reshape(4, 3),
    begin_s=100.0,
    events=(Happening(at=105.0, kind="deploy"), Happening(at=130.0, kind="config")),
)


def test_a_table_tells_its_times_columns_and_loops() -> None:
    assert TABLE.times_s.tolist() == [100.0, 110.0, 120.0, 130.0]
    assert TABLE.end_s == 130.0
    assert TABLE.loops == ("router",)
    assert TABLE.column("loop.router.setpoint").tolist() == [1.0, 4.0, 7.0, 10.0]
    assert TABLE.column("time_s").tolist() == TABLE.times_s.tolist()
    assert TABLE.has("plant.latency_s") and not TABLE.has("plant.latency_s", "plant.load")


def test_a_signal_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match=r"plant\.load"):
        TABLE.column("plant.load")


@given(st.floats(90, 140), st.floats(0, 50))
def test_between_keeps_exactly_the_rows_of_that_time(begin_s: float, length_s: float) -> None:
    part = TABLE.between(begin_s, begin_s + length_s)
    wanted = [t for t in TABLE.times_s if begin_s < t <= begin_s + length_s]
    assert part.times_s.tolist() == pytest.approx(wanted)
    assert all(begin_s < one.at <= begin_s + length_s for one in part.events)


def test_columns_come_back_as_they_went_in() -> None:
    columns = {"time_s": TABLE.times_s, **{name: TABLE.column(name) for name in TABLE.names}}
    again = from_columns(columns, TABLE.events)
    assert again.names == TABLE.names
    assert again.step_s == TABLE.step_s
    assert again.begin_s == TABLE.begin_s
    assert np.array_equal(again.values, TABLE.values)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a.b": [1.0]}, "time_s"),
        ({"time_s": [1.0]}, "two rows"),
        ({"time_s": [0.0, 10.0, 40.0, 50.0]}, "row 2"),
        ({"time_s": [0.0, np.nan, 20.0]}, "row"),
        ({"time_s": [0.0, 10.0], "a.b": [1.0]}, "a.b has 1"),
    ],
)
def test_a_bad_table_is_refused_with_its_place(columns: dict[str, list[float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_columns(columns)


@pytest.mark.parametrize(
    ("names", "step_s", "width"),
    [(("a.b", "a.b"), 1.0, 2), (("time_s",), 1.0, 1), (("a.b",), 0.0, 1), (("a.b",), 1.0, 2)],
)
def test_names_shape_and_step_must_fit(names: tuple[str, ...], step_s: float, width: int) -> None:
    with pytest.raises(ValueError, match=r"signal|step|names"):
        Signals(names=names, step_s=step_s, values=np.zeros((3, width)))
