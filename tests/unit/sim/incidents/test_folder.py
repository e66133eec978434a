"""Do tables and findings come back as they went out, and is what is broken named by its line?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.signals import Signals
from flyball.sim.incidents import folder
from flyball.sim.incidents.folder import Told

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20), st.floats(0.1, 600.0))
def test_a_table_goes_out_and_in(rows: list[tuple[float, float]], step_s: float) -> None:
    signals = Signals(names=("a.b", "c.d"), step_s=step_s, values=np.array(rows), begin_s=step_s)
    back = folder.signals_of(folder.csv_text(signals).splitlines())
    assert back.names == signals.names
    assert back.step_s == pytest.approx(step_s)
    np.testing.assert_allclose(back.values, signals.values, rtol=1e-5, atol=1e-9)


def test_a_gap_is_an_empty_field() -> None:
    back = folder.signals_of(["time_s,x", "10,", "20,1"])
    assert np.isnan(back.values[0, 0])


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["time_s,x", "10,1", "20"], "line 3"),
        (["time_s,x", "10,1", "20,much"], "line 3"),
        (["time_s,x,x", "10,1,1"], "twice"),
        (["x", "1", "2"], "time_s"),
        ([], "time_s"),
    ],
)
def test_a_broken_table_is_refused(lines: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        folder.signals_of(lines)


def test_findings_are_in_order_of_time() -> None:
    late, soon = Told(at=20.0, kind="fold", loops=("cost",)), Told(at=10.0)
    assert folder.told_of(folder.told_text([late, soon]) + "\n") == (soon, late)


def test_a_broken_finding_is_named() -> None:
    with pytest.raises(ValueError, match="line 2"):
        folder.told_of('{"at": 1}\n{"kind": "no time"}\n')


def test_a_change_has_its_moment_in_its_name() -> None:
    assert folder.changed_at(folder.change_name(14_400.0)) == 14_400.0
    for name in ("loops.yaml", "change-.yaml", "change-x.yaml", "change-10.json"):
        assert folder.changed_at(name) is None
