"""Is the edge found to its tolerance, and is the interval Student's?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.sim.capacity import interval, largest, serves_well
from support.worlds import ran


@given(st.floats(0.001, 1000.0), st.floats(0.1, 10.0), st.floats(0.005, 0.2))
def test_the_edge_is_found_from_below(ratio: float, start: float, tolerance: float) -> None:
    edge = start * ratio
    found = largest(lambda load: load <= edge, start, tolerance)
    assert found <= edge
    assert found >= edge / (1.0 + tolerance) * (1.0 - 1e-9)


def test_nothing_passes_and_everything_passes_both_end() -> None:
    asked: list[float] = []
    assert largest(lambda load: bool(asked.append(load)), 1.0, 0.1) == 0.0
    assert len(asked) == 12
    assert largest(lambda load: True, 1.0, 0.1) == 2.0**11


def test_the_interval_is_student_s() -> None:
    # Mean 2, s = 1, n = 3: 4.303 / sqrt(3) = 2.4843 to each side.
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, -0.4843, 4.4843), abs=1e-3)
    assert interval([5.0]).low == 5.0
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_every_class_must_be_served_well() -> None:
    good = ran(duration_s=20, workload__generate__rate=2).report
    assert serves_well(good, 0.95)
    bad = ran(duration_s=20, workload__generate__rate=60).report
    assert not serves_well(bad, 0.95)
