"""The published table of sample sizes comes out, and power is what a simulation finds."""

import numpy as np
import pytest

from flyball.diagnosis.stress.power import (
    Design,
    calls_needed,
    chi_square_beyond,
    crossed_power,
    power_with,
    prompts,
    variance,
)

# 80 % power, base success 85 %, prompt sd 2.5 logit, 80 % shared: simulated beforehand.
TABLE = [
    (0.01, 22_800, 12_200, 3_070),
    (0.02, 5_230, 2_980, 935),
    (0.05, 935, 547, 206),
]


@pytest.mark.parametrize(("effect", "unpaired", "paired", "common"), TABLE)
def test_the_table_of_sample_sizes(effect: float, unpaired: int, paired: int, common: int):
    assert calls_needed(effect, "unpaired") == pytest.approx(unpaired, rel=0.11)
    assert calls_needed(effect, "paired") == pytest.approx(paired, rel=0.11)
    assert calls_needed(effect, "common") == pytest.approx(common, rel=0.11)


def test_two_points_are_seen_with_a_thousand_pairs():
    assert calls_needed(0.02, "common") <= 1_000
    assert power_with(1_000, 0.02, "common") >= 0.8


@pytest.mark.parametrize("design", ["unpaired", "paired", "common"])
def test_as_many_calls_as_needed_give_the_power(design: Design):
    assert power_with(calls_needed(0.03, design), 0.03, design) == pytest.approx(0.8, abs=0.005)


def test_prompts_have_the_mean_that_was_asked_for():
    chances, weights = prompts(0.85, 2.5)
    assert float(weights @ chances) == pytest.approx(0.85)


def test_more_backend_spread_is_easier_to_see_and_none_has_the_size():
    assert crossed_power(1e-9, 4, 300, 5) == pytest.approx(0.01, abs=1e-4)
    assert crossed_power(0.2, 4, 300, 5) == pytest.approx(0.65, abs=0.10)
    assert crossed_power(0.2, 4, 1000, 3) == pytest.approx(0.81, abs=0.10)
    assert crossed_power(0.4, 4, 100, 10) == pytest.approx(0.90, abs=0.10)


def test_chi_square_against_draws():
    drawn = np.square(np.random.default_rng(0).normal(size=(200_000, 3))).sum(axis=1)
    for x in (0.0, 1.0, 5.0, 11.345):
        assert chi_square_beyond(x, 3) == pytest.approx(np.mean(drawn > x), abs=0.004)
    assert chi_square_beyond(1e4, 3) == 0.0


def test_an_effect_that_cannot_be():
    with pytest.raises(ValueError, match="cannot be"):
        variance(0.9, "paired", 0.85, 2.5, 0.8)
