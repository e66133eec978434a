"""Plans keep their budget and are balanced; paired intervals cover."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.stress.canary import Budget, paired, plan, williams
from flyball.diagnosis.stress.power import prompts


@given(st.integers(2, 9))
def test_each_backend_follows_each_other_equally_often(width: int):
    rows = williams(width)
    after = Counter(pair for row in rows for pair in pairwise(row))
    assert len(after) == width * (width - 1) and len(set(after.values())) == 1
    assert all(sorted(row) == list(range(width)) for row in rows)


@given(st.integers(3, 400), st.floats(0.1, 10.0), st.integers(1, 200))
def test_a_plan_keeps_its_budget(calls: int, usd: float, hourly: int):
    budget = Budget(calls=calls, span_s=7200.0, hourly=hourly, usd=usd, call_usd=0.01)
    try:
        probes = plan(["p", "q"], ["a", "b", "c"], budget, seed=1)
    except ValueError:
        assert min(calls, usd / 0.01, hourly * 6) < 3
        return
    assert len(probes) <= calls and len(probes) * 0.01 <= usd
    assert max(Counter(one.backend for one in probes).values()) <= 2 * hourly
    assert probes[-1].at < 7200.0 and probes == tuple(sorted(probes, key=lambda one: one.at))


def test_a_round_shares_prompt_and_seed():
    probes = plan(["p", "q", "r"], ["a", "b"], Budget(calls=12, span_s=3600.0), 5, start=100.0)
    for first, second in zip(probes[::2], probes[1::2], strict=True):
        assert (first.prompt, first.seed) == (second.prompt, second.seed)
        assert {first.backend, second.backend} == {"a", "b"}
        assert (first.previous, second.previous) == ("", first.backend)
    assert set(Counter(one.prompt for one in probes).values()) == {4}
    assert probes == plan(["p", "q", "r"], ["a", "b"], Budget(calls=12, span_s=3600.0), 5, 100.0)


@pytest.mark.parametrize(
    ("names", "backends"), [([], ["a", "b"]), (["p"], ["a"]), (["p"], ["a"] * 2)]
)
def test_no_plan_without_two_backends_and_a_prompt(names: list[str], backends: list[str]):
    with pytest.raises(ValueError):
        plan(names, backends, Budget(calls=10, span_s=60.0), 1)


def test_the_interval_covers_and_the_estimate_is_unbiased():
    rng = np.random.default_rng(41)
    (a, weights), (b, _) = prompts(0.85, 2.5), prompts(0.83, 2.5)
    found = []
    for _ in range(600):
        which = rng.choice(a.size, size=935, p=weights)
        u = rng.random(935)
        v = np.where(rng.random(935) < 0.8, u, rng.random(935))
        found.append(paired((u < a[which]) * 1.0, (v < b[which]) * 1.0))
    assert np.mean([one.value for one in found]) == pytest.approx(-0.02, abs=0.003), "seed 41"
    assert 0.92 <= np.mean([one.low <= -0.02 <= one.high for one in found]) <= 0.98, "seed 41"


def test_pairs_that_all_agree_still_leave_doubt():
    gap = paired(np.ones(50), np.ones(50))
    assert gap.value == 0.0 and gap.low < 0.0 < gap.high and gap.chance == 1.0
    with pytest.raises(ValueError, match="pairs"):
        paired(np.ones(1), np.ones(1))
