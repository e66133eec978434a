"""Does a forecast follow levels and ramps, and does it own up to how unsure it is?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.forecast import Forecast


def fed(*values: float) -> Forecast:
    made = Forecast(10.0)
    for value in values:
        made.read(value)
    return made


def test_before_the_first_reading_it_expects_nothing() -> None:
    assert Forecast(10.0).ahead(60.0) == (0.0, 0.0)


def test_a_level_is_expected_to_stay_and_is_certain() -> None:
    mean, spread = fed(*[4.0] * 50).ahead(600.0)
    assert mean == pytest.approx(4.0) and spread == pytest.approx(0.0)


def test_a_ramp_is_expected_to_go_on_for_a_while() -> None:
    ramp = fed(*[float(step) for step in range(60)])
    near, far = ramp.ahead(10.0)[0], ramp.ahead(60.0)[0]
    assert 59.0 < near < 60.1
    assert near + 2.0 < far < 65.0, "the trend is damped: it never overshoots the line"


def test_noise_makes_it_unsure_and_more_so_further_ahead() -> None:
    noisy = fed(*[5.0 + (-1.0) ** step for step in range(60)])
    assert 0.5 < noisy.ahead(10.0)[1] < noisy.ahead(40.0)[1]


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60), st.floats(0.0, 1e5))
def test_it_is_never_negative_and_always_finite(values: list[float], after_s: float) -> None:
    mean, spread = fed(*values).ahead(after_s)
    assert 0.0 <= mean < 1e9 and 0.0 <= spread < 1e12
