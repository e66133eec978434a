"""Does a client measure what the plant did, in open and in closed loop?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.dialects.profiles import profile
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.sim.measure import Ask, closed_loop, open_loop, run_weights, weighted_median

HAND = Profile(
    name="hand", accelerator="x", model="m",
    decode=StepCost(1.0, 0.0, 0.0), mixed=StepCost(10.0, 0.0, 0.0, 1.0),
    limits=EngineLimits(4, 64, 4096, 4), power=PowerCurve(1.0, 2.0), request_overhead_s=2.0,
)  # fmt: skip


def test_open_loop_by_hand() -> None:
    seen = open_loop(HAND, [Ask(0.0, 5, 3), Ask(100.0, 5, 1)])
    assert seen.ttft_s.tolist() == [17.0, 17.0]
    assert seen.e2e_s.tolist() == [19.0, 17.0]
    assert seen.tpot_s[0] == 1.0
    assert np.isnan(seen.tpot_s[1])


def test_a_shared_prefix_shortens_the_second_prompt() -> None:
    load = [Ask(0.0, 9, 1, (1, 2)), Ask(100.0, 9, 1, (1, 2))]
    seen = open_loop(HAND, load, prefix_cache=True)
    assert (seen.ttft_s[0], seen.ttft_s[1]) == (21.0, 13.0)


def test_closed_loop_shows_the_first_wave_and_those_after_it() -> None:
    seen = closed_loop(profile("h100/llama-3.1-8b"), 4, 100, 50, rounds=5)
    assert len(seen.ttft_s) == 4 + 20
    assert np.all(seen.output_tokens <= 50)
    assert np.all(seen.output_tokens >= 40)
    alone = closed_loop(profile("h100/llama-3.1-8b"), 1, 100, 50)
    assert np.median(alone.tpot_s) < np.median(seen.tpot_s)


def test_the_first_wave_waits_for_itself() -> None:
    seen = closed_loop(profile("h100/llama-3.1-8b"), 64, 4000, 200)
    assert seen.ttft_s[:64].mean() > 3 * seen.ttft_s[64:].mean()


@given(st.integers(1, 200), st.integers(8, 400), st.floats(1.0, 100.0))
def test_the_first_wave_counts_as_much_as_it_is_of_the_run(
    concurrency: int, after: int, waves: float
) -> None:
    weights = run_weights(concurrency + after, concurrency, waves)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[:concurrency].sum() == pytest.approx(1.0 / waves)
    assert weights.min() >= 0.0


def test_a_weighted_median_by_hand() -> None:
    values = np.array([3.0, 1.0, np.nan, 2.0])
    assert weighted_median(values, np.array([1.0, 1.0, 9.0, 1.0])) == 2.0
    assert weighted_median(values, np.array([5.0, 1.0, 9.0, 1.0])) == 3.0


def test_one_seed_one_answer() -> None:
    first, second = (closed_loop(profile("h100/llama-3.1-8b"), 8, 200, 20, seed=5) for _ in "ab")
    assert first.e2e_s.tolist() == second.e2e_s.tolist()


def test_a_request_that_never_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="KV cache"):
        open_loop(HAND, [Ask(0.0, 5000, 3)])
