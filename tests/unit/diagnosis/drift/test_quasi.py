"""The long-run covariance is found, and large changes are seen at once."""

import numpy as np
import pytest

from flyball.diagnosis.drift.quasi import Quasi, learn, long_run


def waves(rng: np.random.Generator, streams: int, ticks: int, keep: float) -> np.ndarray:
    """AR(1) noise of unit variance, one number a stream."""
    out = np.zeros((streams, ticks, 1))
    now = rng.normal(size=(streams, 1))
    for t in range(ticks):
        now = keep * now + np.sqrt(1 - keep**2) * rng.normal(size=(streams, 1))
        out[:, t] = now
    return out


def test_long_run_variance_of_noise_with_a_memory():
    noise = waves(np.random.default_rng(1), 40, 4000, 0.8)
    assert long_run(noise, 20).mean() == pytest.approx((1 + 0.8) / (1 - 0.8), rel=0.15), "seed 1"


def test_a_past_of_few_blocks_is_refused():
    with pytest.raises(ValueError, match="too few"):
        long_run(np.zeros((1, 100, 1)), 6)


def test_noise_says_little_and_a_change_much():
    rng = np.random.default_rng(5)
    course = waves(rng, 60, 5000, 0.8)
    detector = Quasi(learn(course[:, :4000], 10, 1, False))
    for t in range(4000, 4300):
        detector.tick(course[:, t])
    assert np.median(detector.evidence) < 300.0, "seed 5"
    for t in range(4300, 4360):
        detector.tick(course[:, t] + 4.0)
    assert np.median(detector.evidence) > 1e4, "seed 5"
    detector.forget()
    assert detector.evidence.max() == 0.0


def test_a_part_of_a_mix_takes_from_the_others_in_proportion():
    rng = np.random.default_rng(6)
    past = rng.multinomial(100, [0.5, 0.3, 0.2], size=(1, 3000)) / 100
    detector = Quasi(learn(past, 5, 1, True))
    for _ in range(30):
        detector.tick(rng.multinomial(100, [0.4, 0.24, 0.36], size=1) / 100)
    assert detector.evidence[0] > 1e6, "seed 6"
