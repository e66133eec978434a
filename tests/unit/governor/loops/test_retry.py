"""Is less than one admitted attempt in two a retry, whatever clients do?"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.retry import (
    ATTEMPTS_BEFORE,
    MEMORY_S,
    RETRY_AFTER_S_MAX,
    RetryGain,
    falls_below_s,
    is_worth,
    spread,
)


@given(st.lists(st.booleans(), max_size=300))
def test_retries_admitted_stay_below_half(wanted: list[bool]) -> None:
    gain = RetryGain()
    for is_retry in wanted:
        if is_retry and not gain.may_retry():
            continue
        gain.attempts += 1.0
        gain.retries += is_retry
        assert gain.retries < 0.5 * (gain.attempts + ATTEMPTS_BEFORE)


def test_a_storm_is_bounded_and_over_when_it_stops() -> None:
    """Half of all answers fail and each failure is retried for ever, over 10 simulated minutes."""
    seed = 7
    rng = random.Random(seed)
    gain, waiting, at, shares = RetryGain(), 0, 0.0, []
    for second in range(600):
        failing = 0.9 if 60 <= second < 300 else 0.02
        at += 1.0
        gain.tick(at)
        failed = 0
        for is_retry in [False] * 40 + [True] * waiting:
            gain.arrivals += 1.0
            gain.arrivals_again += is_retry
            if is_retry and not gain.may_retry():
                failed += rng.random() < 0.8  # does not heed x-should-retry
                continue
            gain.attempts += 1.0
            gain.retries += is_retry
            failed += rng.random() < failing
        waiting = failed
        shares.append(gain.admitted)
    assert max(shares) < 0.5, f"seed {seed}"
    assert gain.offered < 0.1, f"seed {seed}: the storm goes on"


def test_counts_fade() -> None:
    gain = RetryGain()
    gain.tick(10.0)
    gain.attempts, gain.retries = 100.0, 40.0
    gain.tick(10.0 + MEMORY_S)
    assert gain.attempts == pytest.approx(36.79, abs=0.01)
    assert gain.admitted == pytest.approx(0.4)
    gain.tick(0.0)  # a clock may step backward
    assert gain.attempts == pytest.approx(36.79, abs=0.01)


def test_nothing_seen_is_no_gain() -> None:
    gain = RetryGain()
    assert (gain.admitted, gain.offered) == (0.0, 0.0)
    assert gain.may_retry()


def test_a_retry_must_be_worth_its_price() -> None:
    assert is_worth(0.01, 0.5, 0.005)
    assert not is_worth(0.01, 0.4, 0.005)


@given(st.floats(0.0, 1.0, exclude_max=True))
def test_times_to_retry_are_spread(draw: float) -> None:
    assert 5.0 <= spread(5.0, draw) <= 10.0


@given(price=st.floats(1e-6, 1.0), value=st.floats(1e-6, 1.0), drain_s=st.floats(0.0, 100.0))
def test_a_dearer_price_takes_longer_to_fall(price: float, value: float, drain_s: float) -> None:
    wait_s = falls_below_s(price, value, drain_s)
    assert 0.0 <= wait_s <= RETRY_AFTER_S_MAX
    assert (wait_s == 0.0) or price > value
    assert falls_below_s(2.0 * price, value, drain_s) >= wait_s


def test_a_price_falls_by_e_in_one_turnover() -> None:
    assert falls_below_s(0.0271828, 0.01, 4.0) == pytest.approx(4.0, rel=1e-4)
    assert falls_below_s(0.01, 0.0, 4.0) == RETRY_AFTER_S_MAX


def test_failures_lower_the_chance_of_success() -> None:
    gain = RetryGain()
    assert gain.success == 1.0
    gain.attempts, gain.failures = 90.0, 50.0
    assert gain.success == pytest.approx(0.5)
