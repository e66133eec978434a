"""Is the randomised gain unbiased, with an interval that holds however often one looks?"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.margins.randomised import Arm, cost_gain, difference, sequence_width

SEED = 23


def test_the_error_is_the_textbooks() -> None:
    """SE(q') = sqrt(q (1-q) (1/m1 + 1/m2)) / (2 delta): 0.011 for an hour's 144,000 attempts."""
    arm = Arm(tried=72_000, failed=72_000 * 0.03)
    found = difference(arm, arm)
    assert found.error / 0.08 == pytest.approx(0.011, abs=0.0005)
    assert found.low < 0.0 < found.high


def test_the_interval_holds_at_every_look() -> None:
    """Looked at after each of 60 batches, at most alpha of all runs may ever exclude the truth."""
    print(f"seed {SEED}")
    chance = np.random.default_rng(SEED)
    runs, wrong_ever, wrong_fixed = 400, 0, 0
    for _ in range(runs):
        low = np.cumsum(chance.binomial(3000, 0.05, 60))
        high = np.cumsum(chance.binomial(3000, 0.04, 60))
        tried = 3000.0 * np.arange(1, 61)
        found = [
            difference(Arm(tried=n, failed=a), Arm(tried=n, failed=b))
            for n, a, b in zip(tried, low, high, strict=True)
        ]
        wrong_ever += any(not one.low <= -0.01 <= one.high for one in found)
        wrong_fixed += any(abs(one.value + 0.01) > 1.96 * one.error for one in found)
    assert wrong_ever / runs <= 0.05
    assert wrong_fixed / runs > 0.1


@given(st.floats(1.0, 1e8), st.floats(0.001, 0.2))
def test_holding_always_costs_width(count: float, alpha: float) -> None:
    assert sequence_width(count, alpha) > 1.0
    assert sequence_width(count, alpha / 2) > sequence_width(count, alpha)


def test_the_sequence_is_tightest_where_it_was_told_to_be() -> None:
    widths = [sequence_width(count, 0.05, 1e5) for count in (3e3, 1e5, 3e6)]
    assert widths[1] < widths[0] and widths[1] < widths[2]
    assert widths[1] == pytest.approx(2.9, abs=0.3)


def test_the_gain_is_one_without_an_effect_and_zero_at_the_cheapest_point() -> None:
    same = Arm(tried=1e6, failed=3e4)
    assert cost_gain(same, same, 0.08, 0.8, 0.9, 0.5).value == pytest.approx(1.0)

    def fails(kept: float) -> float:
        return 0.03 + 0.75 / (1 + math.exp((kept - 0.35) / 0.07))

    def at(kept: float) -> float:
        low = Arm(tried=1e9, failed=1e9 * fails(kept - 0.005))
        high = Arm(tried=1e9, failed=1e9 * fails(kept + 0.005))
        return cost_gain(low, high, 0.01, 0.8, 0.5 + 0.5 * kept, 0.5).value

    assert at(0.8535) == pytest.approx(0.987, abs=0.005)
    assert at(0.5235) == pytest.approx(0.0, abs=0.02)
    assert at(0.45) < 0.0


def test_no_attempts_say_nothing() -> None:
    found = difference(Arm(tried=0, failed=0), Arm(tried=0, failed=0))
    assert found.value == 0.0 and found.low < -0.9 and found.high > 0.9
