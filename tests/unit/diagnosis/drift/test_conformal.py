"""Ranks are uniform under the past's own law; a change is seen."""

import numpy as np
import pytest

from flyball.diagnosis.drift.conformal import Conformal, accept, left_out


def test_left_out_distances_are_those_of_the_rest():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(30, 3))
    centre, inverse = points.mean(axis=0), np.linalg.inv(np.cov(points.T))
    squared = np.einsum("nd,de,ne->n", points - centre, inverse, points - centre)
    for i in (0, 7, 29):
        rest = np.delete(points, i, axis=0)
        away = points[i] - rest.mean(axis=0)
        exact = away @ np.linalg.inv(np.cov(rest.T)) @ away
        assert left_out(squared, 30)[i] == pytest.approx(exact)


def test_too_short_a_past_is_refused():
    with pytest.raises(ValueError, match="119 slots"):
        accept(np.zeros((1, 119, 2)))


def test_what_never_varied_is_strange_when_it_does():
    past = np.zeros((1, 200, 2))
    past[:, :, 0] = np.random.default_rng(0).normal(size=200)
    detector = Conformal(accept(past), 1)
    detector.slot(np.array([[0.0, 1.0]]))
    strange = detector.evidence[0]
    detector.forget()
    detector.slot(np.array([[0.0, 0.0]]))
    assert strange > 5.0 > detector.evidence[0]


def test_evidence_stays_low_without_and_grows_with_a_change():
    rng = np.random.default_rng(2)
    past = rng.normal(size=(50, 600, 2))
    detector = Conformal(accept(past), 3)
    for _ in range(60):
        detector.slot(rng.normal(size=(50, 2)))
    assert np.median(detector.evidence) < 60.0, "seed 2"
    for _ in range(12):
        detector.slot(rng.normal(size=(50, 2)) + 4.0)
    assert detector.evidence.min() > 1e4, "seed 2"
