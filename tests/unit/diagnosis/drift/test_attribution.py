"""The layer that changed gets the change; the node that is strange on its own comes first."""

import numpy as np
import pytest

from flyball.diagnosis.drift.attribution import (
    Sample,
    attribute,
    quantised,
    root_order,
    strangeness,
)

LAYERS = ("control", "inference", "model")


def sample(rng: np.random.Generator, changed: str, rows: int = 3000) -> Sample:
    control = rng.random(rows) < (0.5 if changed == "control" else 0.2)
    inference = rng.random(rows) < 0.2 + 0.4 * control + (0.25 if changed == "inference" else 0.0)
    model = rng.random(rows) < 0.1 + 0.2 * inference + (0.25 if changed == "model" else 0.0)
    chance = 0.05 + 0.3 * model + 0.2 * inference + 0.1 * control
    outcome = rng.random(rows) < chance + (0.15 if changed == "outcome" else 0.0)
    return Sample(
        codes=np.column_stack([control, inference, model]).astype(np.intp),
        outcome=outcome.astype(np.float64),
    )


@pytest.mark.parametrize("changed", [*LAYERS, "outcome"])
def test_the_changed_layer_comes_first(changed: str):
    rng = np.random.default_rng(11)
    before, after = sample(rng, ""), sample(rng, changed)
    shares = attribute(LAYERS, before, after, rng, draws=60)
    assert shares[0].layer == changed, "seed 11"
    assert shares[0].low > 0.0
    whole = after.outcome.mean() - before.outcome.mean()
    assert sum(share.change for share in shares) == pytest.approx(whole, abs=0.005)


def test_bad_samples_are_refused():
    rng = np.random.default_rng(0)
    good = sample(rng, "")
    with pytest.raises(ValueError, match="layers"):
        attribute((), good, good, rng)
    with pytest.raises(ValueError, match="before"):
        attribute(("one",), good, good, rng)
    wide = Sample(codes=good.codes * 100, outcome=good.outcome)
    with pytest.raises(ValueError, match="combinations"):
        attribute(LAYERS, wide, good, rng)


def test_quantiles_of_before_cut_both():
    before, after = quantised(np.arange(100.0), np.array([-5.0, 1000.0]))
    assert np.bincount(before).tolist() == [25, 25, 25, 25]
    assert after.tolist() == [0, 3]


def test_strangeness_is_in_robust_deviations():
    usual = np.concatenate([np.random.default_rng(1).normal(10, 1, 500), [1e9, np.nan]])
    assert strangeness(usual, np.array([15.0])) == pytest.approx(5.0, rel=0.15)
    assert strangeness(usual, np.array([np.nan])) == 0.0


def test_the_deepest_strange_node_is_the_cause():
    scores = {"front": 9.0, "cart": 7.0, "db": 6.0, "mail": 0.1}
    calls = {"front": ["cart", "mail"], "cart": ["db"]}
    assert root_order(scores, calls, 3.0) == ["db", "front", "cart", "mail"]
