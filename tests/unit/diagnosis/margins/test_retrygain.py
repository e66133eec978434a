"""Are retries amplified as simulated, and is the cheapest context the one that a search finds?"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.margins.retrygain import (
    GAIN_MAX,
    attempts,
    budgeted,
    cheapest_kept,
    retry_gain,
    spend,
)

SEED = 31


def fails(kept: np.ndarray) -> np.ndarray:
    return 0.03 + 0.75 / (1 + np.exp((kept - 0.35) / 0.07))


def work(kept: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * kept


@pytest.mark.parametrize(("chance", "retries_max"), [(0.3, 3), (0.7, 5)])
def test_attempts_are_those_of_tasks_that_try_again(chance: float, retries_max: int) -> None:
    print(f"seed {SEED}")
    draws = np.random.default_rng(SEED).random((20_000, retries_max)) < chance * 0.8
    counted = 1 + np.cumprod(draws, axis=1).sum(axis=1)
    assert attempts(chance, 0.8, retries_max) == pytest.approx(counted.mean(), rel=0.02)


@given(st.floats(0.0, 0.9), st.floats(0.0, 1.0), st.integers(1, 3))
def test_layers_multiply_and_a_budget_bounds(chance: float, again: float, layers: int) -> None:
    one = attempts(chance, again, 3)
    assert attempts(chance, again, 3, layers) == pytest.approx(one**layers)
    assert 1.0 <= budgeted(chance, again, 0.1) <= 1.1


def test_the_worst_of_stacked_layers() -> None:
    assert attempts(1.0, 1.0, 3, 3) == 64.0
    assert attempts(1.0, 1.0) == math.inf


def test_near_a_timeout_cliff_the_slope_is_most_of_the_gain() -> None:
    """A queue of rate 50: latency 60/(50 - load), patience 22 s."""

    def late(load: float) -> float:
        return 1.0 / (1.0 + math.exp((22.0 - 60.0 / max(50.0 - load, 0.01)) / 1.5))

    calm, near = retry_gain(late, 40.0, 0.8), retry_gain(late, 47.2, 0.8)
    assert calm.is_stable and calm.gain < GAIN_MAX
    assert late(47.2) < 0.5 and not near.is_stable
    assert near.by_slope > 0.8 * near.gain


def test_the_cheapest_context_is_a_floor() -> None:
    """The four-loop plant: 0.8195 of full work per task, so a budget of 32.8 for 40 tasks/s."""
    kept, least = cheapest_kept(work, fails, 0.8)
    assert 40.0 * least == pytest.approx(32.78, abs=0.05)
    around = spend(np.array([kept - 0.05, kept, kept + 0.05]), work, fails, 0.8)
    assert around[1] < around[0] and around[1] < around[2]
    assert cheapest_kept(work, fails, 0.0)[0] == 0.0


def test_a_chance_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="chances"):
        attempts(1.2, 0.5)
