"""Does the fit find what made the figures, and say what it could not tell?"""

import numpy as np
import pytest

from flyball.sim.fit import fit

X = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])


def line(c: np.ndarray) -> np.ndarray:
    return c[0] + c[1] * X


def test_coefficients_are_found_despite_an_outlier() -> None:
    measured = line(np.array([3.0, 0.5]))
    measured[2] *= 4.0
    found = fit(line, measured, np.array([1.0, 1.0]), prior=3.0, scale=0.02)
    assert found.values == pytest.approx([3.0, 0.5], rel=0.05)
    assert found.left[2] == pytest.approx(-np.log(4.0), abs=0.05)


def test_what_the_data_does_not_tell_stays_at_its_start() -> None:
    found = fit(lambda c: c[0] * X + 0.0 * c[1], 2.0 * X, np.array([1.0, 7.0]))
    assert found.values[0] == pytest.approx(2.0, rel=5e-3)
    assert found.values[1] == pytest.approx(7.0)
    assert found.told[0] > 0.9
    assert found.told[1] < 0.01


def test_errors_grow_with_noise() -> None:
    rng = np.random.default_rng(3)  # seed 3
    quiet, loud = (
        fit(line, line(np.array([3.0, 0.5])) * np.exp(rng.normal(0, size, 6)), np.array([2.0, 1.0]))
        for size in (0.001, 0.1)
    )
    assert quiet.errors[1] < loud.errors[1]


@pytest.mark.parametrize("measured", [np.array([]), np.zeros(6)])
def test_figures_not_above_nought_are_refused(measured: np.ndarray) -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit(line, measured, np.array([1.0, 1.0]))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="6 predictions for 2"):
        fit(line, np.ones(2), np.array([1.0, 1.0]))
