"""Evidence adds up no faster than it may, and e-BH names what it may."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.drift.edetector import LARGEST, calibrator, e_bh, grown, pooled


@given(st.integers(1, 500), st.floats(0.01, 0.99))
def test_a_calibrator_is_an_e_value_that_falls_with_rank(count: int, bet: float):
    e = calibrator(count, (bet,))
    assert e.size == count + 1
    assert e.mean() == pytest.approx(1.0)
    assert np.all(np.diff(e) < 0)


@pytest.mark.parametrize("bets", [(), (0.0,), (1.0,), (0.5, 2.0)])
def test_a_bet_outside_0_and_1_is_refused(bets: tuple[float, ...]):
    with pytest.raises(ValueError, match="bets"):
        calibrator(10, bets)


def test_without_a_change_evidence_grows_by_one_a_step():
    rng = np.random.default_rng(3)
    e = calibrator(99, (0.5,))
    r = np.zeros(40_000)
    for _ in range(20):
        r = grown(r, e[rng.integers(0, 100, size=r.size)])
    assert r.mean() == pytest.approx(20.0, rel=0.15), "seed 3"


def test_evidence_stays_finite():
    assert grown(np.array([1e29]), np.array([1e9]))[0] == LARGEST


def test_pooled_is_the_mean():
    assert pooled(np.array([1.0, 3.0])) == 2.0
    assert pooled(np.array([])) == 0.0


def test_e_bh_names_the_largest_first():
    assert e_bh(np.array([1.0, 500.0, 60.0]), 0.1).tolist() == [1, 2]
    assert e_bh(np.array([1.0, 2.0]), 0.1).size == 0
    assert e_bh(np.array([]), 0.1).size == 0
    with pytest.raises(ValueError, match="rate"):
        e_bh(np.array([1.0]), 0.0)


def test_e_bh_keeps_its_rate_of_false_discoveries():
    rng = np.random.default_rng(4)
    e = calibrator(999, (0.2,))
    wrong = [e_bh(e[rng.integers(0, 1000, size=20)], 0.1).size > 0 for _ in range(2000)]
    assert np.mean(wrong) <= 0.1, "seed 4"
