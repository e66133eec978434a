"""Recorded chances undo confounding, and what could not be drawn is left out."""

import numpy as np
import pytest

from flyball.diagnosis.stress.propensity import Routes, effects, routes_of
from support import records


def routes(rng: np.random.Generator, rows: int = 20_000) -> Routes:
    """Hard prompts go to the second backend; the true effect is -5 points."""
    hard = rng.normal(size=rows)
    chance = np.clip(1 / (1 + np.exp(-2 * hard)), 0.05, 0.95)
    second = (rng.random(rows) < chance).astype(float)
    outcome = (rng.random(rows) < np.clip(0.7 - 0.1 * hard - 0.05 * second, 0, 1)).astype(float)
    return Routes(second=second, chance=chance, outcome=outcome, facts=hard[:, None])


def test_weights_undo_what_means_get_wrong():
    found = effects(routes(np.random.default_rng(51)))
    assert found.naive.high < -0.08, "seed 51"
    assert found.inverse.low <= -0.05 <= found.inverse.high
    assert found.doubly.low <= -0.05 <= found.doubly.high
    assert found.doubly.high - found.doubly.low < 0.06
    assert found.overlap == 1.0


def test_the_interval_covers():
    rng = np.random.default_rng(52)
    inside = [
        one.doubly.low <= -0.05 <= one.doubly.high
        for one in (effects(routes(rng, 2000)) for _ in range(200))
    ]
    assert 0.90 <= np.mean(inside) <= 0.99, "seed 52"


def test_records_become_routes():
    one = records.candidate("paris-1", propensity=0.9)
    other = records.candidate("edge-1", propensity=0.1)
    drawn = records.intent(endpoint="paris-1", candidates=(one, other))
    never = records.intent(1, endpoint="paris-1", candidates=(records.candidate("paris-1"),))
    pairs = [(drawn, records.outcome(drawn)), (never, records.outcome(never))]
    names = {"paris-1": "a", "edge-1": "b"}
    found = routes_of(pairs, names, "a", "b", score={drawn.id: 0.25})
    assert found.second.tolist() == [0.0] and found.chance.tolist() == pytest.approx([0.1])
    assert found.outcome.tolist() == [0.25] and found.left_out == 1


def test_too_few_that_could_go_either_way():
    with pytest.raises(ValueError, match="explore_ratio"):
        effects(routes(np.random.default_rng(1), 60))
