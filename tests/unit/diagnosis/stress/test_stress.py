"""Canaries and routes become findings where there is something, and none where there is not."""

import numpy as np
import pytest

from flyball.diagnosis.stress.canary import Budget, plan
from flyball.diagnosis.stress.propensity import Effect, Effects
from flyball.diagnosis.stress.stress import KINDS, Answer, measure, of_routes, of_stress


def answers(rng: np.random.Generator, loss: float, strain: float) -> list[Answer]:
    """Backend "b" is worse by `loss` and, under high load, by `strain` (both in success rate)."""
    names = [f"p{i}" for i in range(60)]
    hard = dict(zip(names, rng.uniform(0.75, 0.95, size=60), strict=True))
    found = []
    for probe in plan(names, ["a", "b", "c", "d"], Budget(calls=1600, span_s=86_400.0), seed=2):
        load = int(rng.integers(0, 2))
        chance = hard[probe.prompt] - (loss + strain * load) * (probe.backend == "b")
        found.append(
            Answer(
                prompt=probe.prompt,
                backend=probe.backend,
                load=load,
                seed=probe.seed,
                previous=probe.previous,
                outcome=float(rng.random() < chance),
            )
        )
    return found


def test_a_backend_under_strain_is_found():
    rng = np.random.default_rng(71)
    found = of_stress(measure(answers(rng, 0.0, 0.5), rng, draws=40), 3.0)
    assert {one.code for one in found} >= {"FB-301", "FB-302"}, "seed 71"
    assert all(one.kind == KINDS[one.code] and one.at == 3.0 for one in found)
    assert "b" in found[0].scope


def test_equal_backends_are_no_finding():
    rng = np.random.default_rng(72)
    assert of_stress(measure(answers(rng, 0.0, 0.0), rng, draws=20), 0.0) == [], "seed 72"


def test_one_backend_is_no_test():
    one = Answer(prompt="p", backend="a", load=0, seed=1, previous="", outcome=1.0)
    with pytest.raises(ValueError, match="two backends"):
        measure([one, one], np.random.default_rng(0))


def effect(value: float) -> Effect:
    return Effect(value=value, low=value - 0.01, high=value + 0.01, requests=1000)


@pytest.mark.parametrize(
    ("value", "overlap", "codes"),
    [(-0.05, 0.5, ["FB-305"]), (-0.005, 0.5, []), (-0.05, 0.01, ["FB-304"])],
)
def test_routes(value: float, overlap: float, codes: list[str]):
    effects = Effects(
        doubly=effect(value), inverse=effect(value), naive=effect(-0.2), overlap=overlap
    )
    assert [one.code for one in of_routes(effects, ("a", "b"), 0.0)] == codes
