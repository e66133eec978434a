"""Is a request's work what the step costs say, and is the batch the largest that keeps time?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.dialects.profiles import catalogue
from flyball.pricing.work import Sizes, batch_max, prefill_s, work

H100 = catalogue()["h100/llama-3.1-8b"]
NAMES = st.sampled_from(sorted(catalogue()))


def test_figures_by_hand() -> None:
    sizes = Sizes(1000.0, 200.0, 0.5)
    assert (sizes.kv_tokens, sizes.uncached_tokens) == (1100.0, 500.0)
    assert prefill_s(H100, sizes) == pytest.approx(
        500 * (2.5e-5 + 0.0067 / 2048) + 1.3e-9 * 500 * (500 + 250)
    )
    used = work(H100, sizes, 10.0)
    step_s = 0.0067 + 10 * (2e-5 + 4.9e-8 * 1100)
    assert used.gpu_s == pytest.approx(prefill_s(H100, sizes) + 200 * step_s / 10)
    assert used.kv_token_s == pytest.approx(1100 * 200 * step_s)
    assert used.joules == pytest.approx(used.gpu_s * (H100.power.watts(10) - 200.0))


@given(NAMES, st.floats(1, 30_000), st.floats(0.002, 0.5))
def test_the_largest_batch_keeps_the_promise_and_no_larger_one_does(
    name: str, kv: float, tpot_s: float
) -> None:
    profile = catalogue()[name]
    batch, free = batch_max(profile, kv, tpot_s), batch_max(profile, kv)
    assert batch <= free <= min(profile.limits.seqs_max, 256.0)
    assert free * kv <= profile.limits.kv_tokens_max * (1 + 1e-9)
    step_s = profile.decode_step_s(max(0.0, batch), max(0.0, batch) * kv)
    if 1.0 <= batch < free:
        assert step_s == pytest.approx(tpot_s, rel=1e-3)
    elif batch == free:
        assert step_s <= tpot_s * (1 + 1e-9)


@given(NAMES, st.floats(1, 8000), st.floats(1, 2000), st.floats(1, 200))
def test_a_larger_batch_makes_work_cheaper(
    name: str, given_tokens: float, made: float, batch: float
) -> None:
    sizes = Sizes(given_tokens, made)
    alone, shared = (work(catalogue()[name], sizes, b) for b in (batch, batch + 1))
    assert shared.gpu_s < alone.gpu_s
    assert shared.kv_token_s >= alone.kv_token_s
