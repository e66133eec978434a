"""Does the filter follow a level and a slope, and wait for enough values?"""

import pytest

from flyball.sim.rivals.trend import Trend


def test_the_last_value_until_there_are_five() -> None:
    trend = Trend(1.0, 0.1, 10.0, 5)
    assert [trend.next(value) for value in (10.0, 50.0, 20.0, 90.0)] == [10.0, 50.0, 20.0, 90.0]
    assert trend.next(40.0) != 40.0


def test_a_constant_stays() -> None:
    trend = Trend(1.0, 0.1, 10.0, 1)
    for _ in range(20):
        assert trend.next(7.0) == pytest.approx(7.0)


def test_a_slope_is_carried_on() -> None:
    trend = Trend(1.0, 0.1, 10.0, 5)
    for value in range(200):
        predicted = trend.next(3.0 * value)
    assert predicted == pytest.approx(3.0 * 200, rel=0.01)


def test_first_step_by_hand() -> None:
    trend = Trend(1.0, 0.1, 10.0, 1)
    trend.next(10.0)
    # After the first value: spread [[1+1+1, 1], [1, 1.1]] -> gain 3/13 and 1/13, state kept.
    # Spread after: [[3 - 9/13, 1 - 3/13], [.., 1.1 - 1/13]] = [[30/13, 10/13], [10/13, 1.0230769]].
    # Moved: level var 30/13 + 2*10/13 + 1.0230769 + 1 = 5.8692308, covariance 10/13 + 1.0230769.
    gain_level = 5.8692308 / 15.8692308
    gain_trend = (10 / 13 + 1.0230769) / 15.8692308
    assert trend.next(20.0) == pytest.approx(10 + 10 * gain_level + 10 * gain_trend)


def test_never_negative() -> None:
    trend = Trend(1.0, 0.1, 10.0, 1)
    for value in (100.0, 50.0, 0.0, 0.0):
        predicted = trend.next(value)
    assert predicted >= 0.0
