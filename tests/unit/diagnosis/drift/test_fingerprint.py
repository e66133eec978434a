"""Equal weights look alike as often as they should; a small shift shows."""

import numpy as np
import pytest

from flyball.diagnosis.drift.fingerprint import Fingerprint, compare, permuted

PROMPTS = tuple(f"p{i}" for i in range(20))


def asked(rng: np.random.Generator, shift: float = 0.0, digest: str = "d1") -> Fingerprint:
    values = -0.7 + 0.02 * rng.normal(size=(12, 20)) + shift * (np.arange(20) == 3)
    return Fingerprint(endpoint="e1", digest=digest, prompts=PROMPTS, values=values)


def test_equals_are_told_apart_at_the_stated_rate_only():
    rng = np.random.default_rng(21)
    small = [
        permuted(rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), rng)[0] <= 0.05
        for _ in range(200)
    ]
    assert np.mean(small) <= 0.10, "seed 21"


def test_one_prompt_that_moved_is_found_and_named():
    rng = np.random.default_rng(22)
    like = compare(asked(rng), asked(rng, shift=0.2), rng)
    assert like.chance < 0.01 and like.shift > like.usual, "seed 22"
    assert like.worst[0][0] == "p3"
    assert like.same_weights


def test_other_or_unknown_weights_are_not_the_same():
    rng = np.random.default_rng(23)
    assert not compare(asked(rng), asked(rng, digest="d2"), rng).same_weights
    assert not compare(asked(rng, digest=""), asked(rng, digest=""), rng).same_weights


def test_what_cannot_be_compared():
    rng = np.random.default_rng(24)
    one = asked(rng)
    other = Fingerprint(endpoint="e2", digest="", prompts=("q",), values=np.zeros((3, 1)))
    with pytest.raises(ValueError, match="none of the pinned"):
        compare(one, other, rng)
    once = Fingerprint(endpoint="e2", digest="", prompts=PROMPTS, values=np.zeros((1, 20)))
    with pytest.raises(ValueError, match="two runs"):
        compare(one, once, rng)
    with pytest.raises(ValueError, match="column"):
        Fingerprint(endpoint="e", digest="", prompts=("a",), values=np.zeros((2, 2)))
