"""Does the count of growing modes agree with the closed form, and the stepping with both?"""

from math import pi, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.topology.stability import (
    MARGIN_MAX,
    Closed,
    critical_gain,
    is_growing,
    lone_margin,
    margin,
)
from flyball.pricing.step import gain_limit


def closed(
    gains: list[float], plant: list[list[float]], periods: list[float], delays: list[float]
) -> Closed:
    matrix = np.array(plant, dtype=float)
    return Closed(
        responses=-np.diag(gains),
        plant=matrix,
        periods_s=np.array(periods),
        delays_s=np.array(delays),
        plant_delays_s=np.zeros_like(matrix),
    )


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 10])
def test_one_loop_has_the_published_critical_gain(ticks: int) -> None:
    """The table of delayed integral control: 2, 1, 0.618, 0.445, 0.285, 0.1495."""
    limit = 2.0 * sin(pi / (2.0 * (2 * ticks + 1)))
    assert critical_gain(7.0 * ticks, 7.0) == pytest.approx(limit) == gain_limit(ticks)
    one = closed([limit], [[1.0]], [7.0], [7.0 * ticks])
    assert not is_growing(one, 0.99) and is_growing(one, 1.02)
    assert margin(one) == pytest.approx(1.0, rel=0.06)


def test_a_lone_loop_that_pushes_the_wrong_way_has_no_margin() -> None:
    assert lone_margin(0.3, 0.0, 5.0) == 0.0
    assert lone_margin(0.0, 0.0, 5.0) == float("inf")
    assert lone_margin(-0.5, 0.0, 5.0) == pytest.approx(4.0)
    with pytest.raises(ValueError, match="above 0"):
        critical_gain(1.0, 0.0)


@given(st.floats(0.05, 3.0), st.floats(-6.0, 0.95), st.sampled_from([1.0, 3.0, 10.0]))
def test_a_pair_grows_as_its_difference_equation_does(
    gain: float, kappa: float, period_s: float
) -> None:
    """Equal periods, no delay: u' = (1 - gain G) u, G = [[1, kappa], [1, 1]], exactly."""
    plant = [[1.0, kappa], [1.0, 1.0]]
    size = np.abs(np.linalg.eigvals(np.eye(2) - gain * np.array(plant))).max()
    if abs(size - 1.0) < 0.1:
        return
    pair = closed([gain, gain], plant, [period_s] * 2, [0.0, 0.0])
    assert (margin(pair) <= 1.0) == bool(size > 1.0)


def test_a_turned_determinant_grows_however_slow_the_loops() -> None:
    turned = closed([1e-3, 1e-3], [[1.0, 2.0], [1.0, 1.0]], [10.0, 40.0], [0.0, 0.0])
    assert is_growing(turned) and margin(turned) == 0.0


def test_loops_that_do_not_touch_each_other_have_the_least_margin_alone() -> None:
    apart = closed([0.5, 0.05], [[1.0, 0.0], [0.0, 1.0]], [10.0, 40.0], [10.0, 0.0])
    assert margin(apart) == pytest.approx(2.0, rel=0.06)
    still = closed([1e-4, 1e-4], [[1.0, 0.0], [0.0, 1.0]], [10.0, 40.0], [0.0, 0.0])
    assert margin(still) == MARGIN_MAX


def test_a_delay_of_one_path_alone_counts() -> None:
    plant = np.array([[1.0, 0.0], [3.0, 1.0]])
    lags = np.array([[0.0, 0.0], [500.0, 0.0]])
    one_way = Closed(
        responses=-0.2 * np.eye(2),
        plant=plant,
        periods_s=np.array([5.0, 5.0]),
        delays_s=np.zeros(2),
        plant_delays_s=lags,
    )
    assert not is_growing(one_way), "what only goes one way cannot grow"
