"""Does the regression find a linear law, and follow one that moves?"""

import numpy as np
import pytest

from flyball.sim.rivals.regression import Regression


def test_it_finds_a_linear_law() -> None:
    chance = np.random.default_rng(3)
    model = Regression(2, ridge=1e-6, memory=1.0)
    for _ in range(64):
        features = np.array([chance.random(), 1000.0 * chance.random()])
        model.learn(features, 0.1 + 0.5 * features[0] + 0.002 * features[1])
    found = model.predict(np.array([[0.0, 0.0], [1.0, 500.0]]))
    assert found == pytest.approx([0.1, 0.1 + 0.5 + 1.0], rel=1e-3)
    assert model.seen == 64


def test_it_never_predicts_a_negative_time() -> None:
    model = Regression(1, ridge=1e-6, memory=1.0)
    for x in range(16):
        model.learn(np.array([float(x)]), 1.0 - 0.1 * x)
    assert model.predict(np.array([[50.0]])).tolist() == [0.0]


def test_old_answers_fade() -> None:
    model = Regression(1, ridge=1e-6, memory=0.5)
    for value in (1.0, 3.0):
        for _ in range(32):
            model.learn(np.array([1.0]), value)
    assert model.predict(np.array([[1.0]])) == pytest.approx([3.0], rel=1e-3)
