"""Is a step's time the stated sum, and are impossible engines refused?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.model.profile import EngineLimits, PowerCurve, StepCost
from support.fleets import H100


def test_steps_cost_what_the_formula_says() -> None:
    assert H100.decode_step_s(10, 2000) == pytest.approx(6.7e-3 + 10 * 20e-6 + 2000 * 49e-9)
    assert H100.mixed_step_s(10, 2000, 100, 5000) == pytest.approx(
        6.7e-3 + 10 * 20e-6 + 2000 * 74e-9 + 100 * 25e-6
    )


@pytest.mark.parametrize("place", range(5))
def test_negative_coefficients_are_refused(place: int) -> None:
    values = [1e-3] * 5
    values[place] = -1e-9
    with pytest.raises(ValueError, match="negative"):
        StepCost(*values)


@pytest.mark.parametrize("place", range(4))
def test_limits_below_one_are_refused(place: int) -> None:
    values = [4] * 4
    values[place] = 0
    with pytest.raises(ValueError, match="below 1"):
        EngineLimits(*values)


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_power_is_concave_between_idle_and_full(one: float, two: float) -> None:
    curve = PowerCurve(idle_watts=100.0, full_watts=700.0)
    middle = curve.watts((one + two) / 2)
    assert 100.0 <= middle < 700.0 + 1e-9
    assert middle >= (curve.watts(one) + curve.watts(two)) / 2 - 1e-9
    assert curve.watts(5.3) == pytest.approx(400.0)
