"""Variances that were put in come out, within their intervals."""

import numpy as np
import pytest

from flyball.diagnosis.stress.mixed import Model, components


def factors(rng: np.random.Generator, prompts: int, backends: int = 8) -> dict[str, np.ndarray]:
    prompt = np.repeat(np.arange(prompts), backends)
    backend = np.tile(np.arange(backends), prompts)
    load = rng.integers(0, 3, prompt.size)
    return {"prompt": prompt, "backend": backend, "load": backend * 3 + load}


def test_a_binary_outcome():
    rng = np.random.default_rng(61)
    columns = factors(rng, 250)
    outcome = Model(columns).draw({"prompt": 2.0, "backend": 0.5, "load": 1e-8}, 1.0, 1.0, rng)
    prompt, backend, load = components(columns, outcome, rng, draws=25).factors
    assert 1.0 < prompt.variance < 3.5, "seed 61"
    assert backend.low <= 0.5 <= backend.high and backend.low > 0.0, "seed 61"
    assert load.variance < 0.1 and load.low <= load.variance <= load.high, "seed 61"
    assert prompt.share > backend.share > load.share


def test_a_normal_outcome_by_hand():
    rng = np.random.default_rng(62)
    place = np.repeat(np.arange(40), 25)
    outcome = 5.0 + 2.0 * rng.normal(size=40)[place] + rng.normal(size=place.size)
    found = components({"place": place}, outcome, rng, is_binary=False, draws=25)
    means = outcome.reshape(40, 25).mean(axis=1)
    exact = means.var(ddof=1) - 1.0 / 25  # analysis of variance, balanced
    assert Model({"place": place}, False).fit(outcome)[0]["place"] == pytest.approx(exact, rel=0.05)
    assert found.residual == pytest.approx(1.0, rel=0.1), "seed 62"
    assert found.factors[0].low < 4.0 < found.factors[0].high, "seed 62"


def test_no_rows_are_no_model():
    with pytest.raises(ValueError, match="rows"):
        Model({})
    with pytest.raises(ValueError, match="rows"):
        Model({"a": np.array([], dtype=np.intp)})
