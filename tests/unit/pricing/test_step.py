"""Do the gains reproduce the closed form, and does a loop at them do what it says?"""

import math

import numpy as np
import pytest

from flyball.pricing.step import GAIN_SHARE_MAX, correct, gain_best, gain_limit

TABLE = [
    (0, 2.000, 1.000, 1),
    (1, 1.000, 0.250, 7),
    (2, 0.618, 0.148, 11),
    (3, 0.445, 0.105, 16),
    (5, 0.285, 0.067, 25),
    (10, 0.1495, 0.035, 48),
]


def run(gain: float, delay: int, ticks: int) -> list[float]:
    """Errors of price' = price - gain x (error seen `delay` ticks ago), from a step of 1."""
    errors = [1.0] * (delay + 1)
    for _ in range(ticks):
        errors.append(errors[-1] - gain * errors[-1 - delay])
    return errors[delay:]


def slowest_pole(gain: float, delay: int) -> float:
    """Largest modulus of a root of z^(d+1) - z^d + gain."""
    polynomial = np.zeros(delay + 2)
    polynomial[:2] = 1.0, -1.0
    polynomial[-1] += gain
    return float(np.abs(np.roots(polynomial)).max())


@pytest.mark.parametrize(("delay", "limit", "best", "ticks"), TABLE)
def test_the_table(delay: int, limit: float, best: float, ticks: int) -> None:
    assert gain_limit(delay) == pytest.approx(limit, rel=2e-3)
    assert gain_best(delay) == pytest.approx(best, abs=6e-4)
    pole = slowest_pole(gain_best(delay), delay)
    assert pole == pytest.approx(delay / (delay + 1), abs=1e-3)
    if (
        delay
    ):  # the table counts by the slowest pole; being double, it takes up to half as long again
        assert round(math.log(0.01) / math.log(pole)) == ticks
    errors = run(gain_best(delay), delay, 200)
    settled = max(i for i, error in enumerate(errors) if abs(error) > 0.01) + 1
    assert ticks <= settled <= 1.5 * ticks + 1
    assert min(errors) > -1e-6, "critically damped: no overshoot"


@pytest.mark.parametrize("delay", [row[0] for row in TABLE])
def test_the_limit_is_the_border_of_stability(delay: int) -> None:
    inside = run(0.99 * gain_limit(delay), delay, 20_000)
    outside = run(1.01 * gain_limit(delay), delay, 20_000)
    assert max(map(abs, inside[-50:])) < 1e-3
    assert max(map(abs, outside[-50:])) > 1e3


@pytest.mark.parametrize("delay", [row[0] for row in TABLE])
def test_correct_finds_the_price_that_clears_the_market(delay: int) -> None:
    slope, available, price = 40.0, 10.0, 0.0
    used = [50.0 - slope * price] * (delay + 1)
    for _ in range(400):
        price = correct(price, used[-1 - delay] - available, slope, delay)
        used.append(50.0 - slope * price)
    assert price == pytest.approx(1.0, rel=1e-6)


def test_the_gain_is_capped_at_a_third_of_the_limit() -> None:
    assert correct(0.0, 1.0, 1.0, 0) == pytest.approx(GAIN_SHARE_MAX * 2.0)
    assert correct(0.0, 1.0, 1.0, 1) == pytest.approx(0.25)


def test_a_price_is_never_negative_and_an_unknown_slope_moves_nothing() -> None:
    assert correct(0.1, -1e9, 1.0, 3) == 0.0
    for slope in (0.0, -1.0, math.nan, math.inf, 5e-324):
        assert correct(0.7, 5.0, slope, 2) == 0.7


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="negative"):
        gain_best(-1)
    with pytest.raises(ValueError, match="finite"):
        correct(math.nan, 0.0, 1.0, 1)
