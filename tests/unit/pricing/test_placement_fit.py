"""Do the times follow from batch, prefill and distance, and is the batch the largest in time?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.dialects.profiles import catalogue
from flyball.model.fleet import Site
from flyball.model.request import Promise
from flyball.pricing.placement_fit import Fit, Misfit, fit, timed, times
from flyball.pricing.work import Sizes, prefill_s, work
from support.placements import flow

H100 = catalogue()["h100/llama-3.1-8b"]
CHAT = Sizes(1155.0, 211.0)
NAMES = st.sampled_from(sorted(catalogue()))
SIZES = st.builds(Sizes, st.floats(20, 8000), st.floats(2, 800), st.floats(0, 0.9))


def quantile(token_s: list[float], tokens_per_s: float, share: float) -> float:
    """By playing the queue: arrivals at random, n of them leave at n / (m T(n)), as in the text."""
    rng = np.random.default_rng(7)
    met, here, m = [], 0, 211.0
    for _ in range(400_000):
        come = tokens_per_s / m
        go = here / (m * token_s[here - 1]) if here else 0.0
        if rng.random() * (come + go) < come:
            met.append(here + 1)
            here = min(here + 1, len(token_s))
        else:
            here -= 1
    return float(np.quantile(met[20_000:], share))


def test_times_by_hand() -> None:
    met = times(H100, CHAT, 0.02, 0.95, 50.0)
    prefill = prefill_s(H100, CHAT)

    def token_s(batch: float) -> float:
        step = 0.0067 + batch * (2e-5 + 4.9e-8 * CHAT.kv_tokens)
        return step + batch * prefill / 211.0

    peak = quantile([token_s(n) for n in range(1, 257)], 50.0 / token_s(50.0), 0.95)
    assert 50.0 < peak < 100.0
    assert met.tpot_s == pytest.approx(token_s(peak), rel=0.02)  # within one request
    assert met.e2e_s == pytest.approx(met.ttft_s + 210.0 * met.tpot_s)
    own = H100.mixed_step_s(peak, peak * CHAT.kv_tokens, 1155.0, 1155.0 * 577.5)
    assert met.ttft_s > 0.02 + 0.9 * own


@given(NAMES, SIZES, st.floats(0.02, 5), st.floats(0.005, 0.3), st.floats(0, 0.2))
def test_a_fit_keeps_every_promise_and_a_larger_batch_would_not(
    name: str, sizes: Sizes, ttft_s: float, tpot_s: float, rtt_s: float
) -> None:
    profile, promise = catalogue()[name], Promise(ttft_s=ttft_s, tpot_s=tpot_s)
    found = timed(profile, sizes, promise, rtt_s, 0.95)
    free = timed(profile, sizes, Promise(), rtt_s, 0.95)
    if isinstance(found, Misfit):
        assert found.rule in ("ttft", "tpot", "kv")
        if found.rule != "kv":
            promised = ttft_s if found.rule == "ttft" else tpot_s
            assert found.needed_s > promised
        return
    assert isinstance(free, Fit)
    assert found.times.ttft_s <= ttft_s and found.times.tpot_s <= tpot_s
    assert found.batch <= free.batch * (1 + 1e-9)
    assert found.gpu_s == pytest.approx(work(profile, sizes, found.batch).gpu_s)
    if found.batch < 0.99 * free.batch:
        more = times(profile, sizes, rtt_s, 0.95, found.batch * 1.01)
        assert more.ttft_s > ttft_s or more.tpot_s > tpot_s


@given(NAMES, st.floats(0.0, 0.05))
def test_looser_promises_never_cost_more_time(name: str, more: float) -> None:
    profile = catalogue()[name]
    tight = timed(profile, CHAT, Promise(ttft_s=1.0, tpot_s=0.06), 0.01, 0.95)
    loose = timed(profile, CHAT, Promise(ttft_s=1.0 + more, tpot_s=0.06 + more), 0.01, 0.95)
    if isinstance(tight, Fit):
        assert isinstance(loose, Fit)
        assert loose.gpu_s <= tight.gpu_s * (1 + 1e-6)


def test_more_certainty_costs_more() -> None:
    promise = Promise(tpot_s=0.04)
    halves = [timed(H100, CHAT, promise, 0.0, share) for share in (0.5, 0.9, 0.99)]
    assert all(isinstance(one, Fit) for one in halves)
    batches = [one.batch for one in halves if isinstance(one, Fit)]
    assert batches == sorted(batches, reverse=True) and batches[0] > batches[2]


def test_the_rule_that_bars_is_named_and_what_it_would_take() -> None:
    site = Site(name="there", jurisdiction="US")
    assert fit(flow(jurisdictions=("EU",)), H100, site, 0.0, 0.95) == Misfit("jurisdiction")
    far = fit(flow(promise=Promise(ttft_s=0.05)), H100, site, 0.08, 0.95)
    assert isinstance(far, Misfit) and far.rule == "ttft" and far.needed_s > 0.08
    eased = fit(flow(promise=Promise(ttft_s=far.needed_s * 1.001)), H100, site, 0.08, 0.95)
    assert isinstance(eased, Fit)
    late = fit(flow(promise=Promise(e2e_s=0.5)), H100, site, 0.08, 0.95)
    assert isinstance(late, Misfit) and late.rule == "e2e"
    huge = fit(flow(sizes=Sizes(500_000.0, 100.0)), H100, site, 0.0, 0.95)
    assert huge == Misfit("kv")


def test_answers_without_tokens_wait_for_one_step_and_take_one() -> None:
    small = catalogue()["cpu/onnx-small"]
    sizes = Sizes(40.0, 0.0)
    found = timed(small, sizes, Promise(e2e_s=0.012), 0.004, 0.95)
    assert isinstance(found, Fit)
    assert found.times.e2e_s <= 0.012 < timed_batch(small, sizes, 0.004, found.batch + 1.0)
    near = timed(small, sizes, Promise(e2e_s=0.012), 0.0, 0.95)
    assert isinstance(near, Fit) and near.gpu_s < found.gpu_s
    barred = timed(small, sizes, Promise(e2e_s=0.012), 0.013, 0.95)
    assert isinstance(barred, Misfit) and barred.rule == "e2e"


def timed_batch(profile: object, sizes: Sizes, rtt_s: float, batch: float) -> float:
    return times(profile, sizes, rtt_s, 0.95, batch).e2e_s  # type: ignore[arg-type]
