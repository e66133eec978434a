"""Does the fluid twin keep its laws, its copies apart, and the published point of rest?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.diagnosis.margins import fluid
from flyball.diagnosis.margins.whatif import settle


def rest(knobs: np.ndarray) -> np.ndarray:
    states, found = settle(fluid.TWIN, fluid.start(knobs), knobs)
    assert found.all()
    return states


def test_the_nominal_point_of_rest() -> None:
    """Throughput = mu Q/(c + Q) at 72 % use: Q = c * 0.72/0.28, a latency of 5 s in both pools."""
    knobs = fluid.theta()
    states = rest(knobs)
    assert states[0, 0] == pytest.approx(60 * 0.72 / 0.28, rel=1e-5)
    spend, difference, in_use = fluid.outputs(states, knobs)[:, 0]
    assert spend == pytest.approx(1.0, abs=1e-5)
    assert difference == pytest.approx(0.0, abs=1e-5)
    assert in_use == pytest.approx(0.72, abs=1e-5)
    assert fluid.harm(states, knobs)[0] == pytest.approx(0.0305, abs=2e-4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(30.0, 60.0), min_size=2, max_size=4))
def test_copies_do_not_touch_each_other(loads: list[float]) -> None:
    together = fluid.theta({"load": np.array(loads)}, len(loads))
    states = fluid.period(fluid.start(together), together)
    for index, load in enumerate(loads):
        alone = fluid.theta({"load": load})
        assert np.allclose(fluid.period(fluid.start(alone), alone)[:, 0], states[:, index])


@given(st.floats(1.0, 6.0), st.floats(0.0, 8.0))
def test_every_retry_comes_back_once(low: float, wider: float) -> None:
    weights = fluid.kernel(np.array([low]), np.array([low + wider]))
    assert weights.sum() == pytest.approx(1.0)
    seconds = np.arange(1, 17)
    assert (weights[:, 0] @ seconds) == pytest.approx(low + wider / 2, abs=0.51)


@given(st.floats(1.0, 11.0))
def test_telemetry_is_read_at_its_age(age: float) -> None:
    weights = fluid.taps(np.array([age]))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights[:, 0] @ np.arange(1, 13)) == pytest.approx(age)


def test_delay_lines_turn_by_whole_periods() -> None:
    """At rest nothing depends on where a ring of past values stands."""
    states = rest(fluid.theta())
    assert np.allclose(fluid.period(states, fluid.theta()), states, atol=1e-5)


def test_a_router_reads_latency_late() -> None:
    """An impulse of latency just before the period's end moves the share only with its age."""
    states = rest(fluid.theta())
    shares = {}
    for age in (1.0, 11.0):
        moved = states.copy()
        moved[0] *= 1.5
        knobs = fluid.theta({"age": age, "router_gain": 0.01})
        shares[age] = fluid.period(moved, knobs)[fluid.SHARE, 0]
    start = states[fluid.SHARE, 0]
    assert shares[1.0] < shares[11.0] < start


def test_capacity_comes_late_and_goes_at_once() -> None:
    knobs = fluid.theta()
    states = rest(knobs)
    more, less = states.copy(), states.copy()
    more[fluid.ORDERED.start] *= 1.1
    less[fluid.ORDERED.start] *= 0.9
    assert more[fluid.ORDERED].min() == pytest.approx(states[fluid.ORDERED].min())
    assert fluid.outputs(less, knobs)[1, 0] < fluid.outputs(states, knobs)[1, 0]


def test_a_spike_lasts_as_long_as_it_says() -> None:
    calm = fluid.theta({"router_gain": 0.0, "cost_gain": 0.0, "autoscaler_gain": 0.0})
    states = rest(fluid.theta())
    filled = []
    for lasts in (0.0, 5.0, 10.0):
        spiked = calm.copy()
        spiked[fluid.KNOBS.index("spike")] = 1.6
        spiked[fluid.KNOBS.index("spike_s")] = lasts
        filled.append(float(fluid.period(states, spiked)[0, 0]))
    assert filled[0] < filled[1] < filled[2]
    assert filled[0] == pytest.approx(states[0, 0], rel=1e-6)


def test_a_knob_that_is_none_is_named() -> None:
    with pytest.raises(KeyError, match="laod"):
        fluid.theta({"laod": 1.0})
