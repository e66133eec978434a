"""Does a loop stay clear of oscillation: by closed form, by simulation, beside foreign loops?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.gain import critical_gain, delay_ticks, gain_cap
from flyball.model.loop import ForeignLoop, Loop


def loop(**changes: object) -> Loop:
    fields: dict[str, object] = {
        "name": "x",
        "sensor": "s",
        "actuator": "pool.replicas",
        "objective": "o",
        "period_s": 10.0,
        "delay_s": 20.0,
        "feedback": 1.0,
    }
    fields.update(changes)
    return Loop(**fields)  # type: ignore[arg-type]


def amplitude(gain: float, slope: float, delay: int, steps: int = 4000) -> float:
    """Of u' = u - g b u(-d), from a step, at its end."""
    past = [1.0] * (delay + 1)
    for _ in range(steps):
        past.append(past[-1] - gain * slope * past[-1 - delay])
        if abs(past[-1]) > 1e6:
            return math.inf
    return max(abs(value) for value in past[-50:])


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 10])
def test_the_critical_gain_is_where_the_simulated_loop_begins_to_grow(delay: int) -> None:
    limit = critical_gain(10.0 * delay, 10.0, 0.5)
    assert amplitude(0.97 * limit, 0.5, delay) < 0.1
    assert amplitude(1.03 * limit, 0.5, delay) > 10.0


def test_a_delay_counts_in_whole_periods() -> None:
    assert [delay_ticks(s, 10.0) for s in (-1.0, 0.0, 0.1, 10.0, 10.1)] == [0, 0, 1, 1, 2]


def test_a_feed_forward_loop_is_not_held_back() -> None:
    assert gain_cap(loop(feedback=0.0), "p", ()) == 1.0


@given(st.floats(0.0, 5.0), st.floats(0.0, 300.0))
def test_no_gain_is_above_a_third_of_the_critical_one(slope: float, delay_s: float) -> None:
    found = gain_cap(loop(feedback=slope, delay_s=delay_s), "p", ())
    assert 0.0 <= found <= 1.0
    assert found <= critical_gain(delay_s, 10.0, slope) / 3.0 + 1e-12


def test_an_autoscaler_beside_ours_on_the_same_replicas_leaves_no_gain() -> None:
    hpa = ForeignLoop(name="hpa", law="hpa", actuator="pool.replicas", scope="p", period_s=15.0)
    assert gain_cap(loop(), "p", (hpa,)) == 0.0
    assert gain_cap(loop(), "elsewhere", (hpa,)) > 0.0


def test_retries_that_feed_load_back_lower_the_gain() -> None:
    retries = ForeignLoop(name="sdk", law="sdk-retry", actuator="attempts", gain=0.4)
    assert gain_cap(loop(), "p", (retries,)) == pytest.approx(0.6 * gain_cap(loop(), "p", ()))
    cooldown = ForeignLoop(name="cool", law="cooldown", actuator="endpoint", gain=0.5)
    assert gain_cap(loop(), "p", (cooldown,)) == pytest.approx(gain_cap(loop(), "p", ()) / 1.5)


gains = st.floats(0.0, 3.0)


@given(gains, gains)
def test_a_stronger_foreign_loop_never_leaves_more(low: float, high: float) -> None:
    low, high = sorted((low, high))

    def beside(gain: float) -> float:
        other = ForeignLoop(name="f", law="other", actuator="pool.replicas", gain=gain)
        return gain_cap(loop(delay_s=0.0), "p", (other,))

    assert beside(high) <= beside(low)
