"""Are the interaction measures the textbook's, and blind where they were shown to be blind?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.margins import fluid
from flyball.diagnosis.margins.interaction import (
    controllable,
    faded,
    niederlinski,
    relative_gains,
    response,
    static_gains,
)
from flyball.diagnosis.margins.whatif import settle


@given(st.integers(0, 500), st.integers(2, 5))
def test_rows_and_columns_of_relative_gains_sum_to_one(seed: int, size: int) -> None:
    gains = np.random.default_rng(seed).normal(size=(size, size)) + 3 * np.eye(size)
    found = relative_gains(gains)
    assert found.sum(axis=0) == pytest.approx(np.ones(size), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(np.ones(size), abs=1e-6)


@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_relative_gains_know_no_units(first: float, second: float) -> None:
    gains = np.array([[1.0, 0.4], [0.3, 2.0]])
    scaled = np.diag([first, 1.0]) @ gains @ np.diag([1.0, second])
    assert relative_gains(scaled) == pytest.approx(relative_gains(gains))


def test_the_plant_of_four_loops() -> None:
    """RGA 1.00/1.86/1.86, Niederlinski 0.537 all the way to the fold; only the size of the cost
    loop's own gain, 0.533 at commissioning, shows it."""
    knobs = fluid.theta()
    state, _ = settle(fluid.TWIN, fluid.start(knobs), knobs)
    commissioned = static_gains(knobs, state)
    assert commissioned[0, 0] == pytest.approx(0.533, abs=0.003)
    own = []
    for budget in (38.0, 35.0, 34.0, 33.2, 32.8):
        knobs = fluid.theta({"budget": budget})
        state, found = settle(fluid.TWIN, state, knobs)
        assert found[0]
        gains = static_gains(knobs, state)
        assert np.diag(relative_gains(gains)) == pytest.approx([1.0, 1.86, 1.86], abs=0.01)
        assert niederlinski(gains) == pytest.approx(0.537, abs=0.002)
        assert controllable(gains).holds
        own.append(gains[0, 0] * budget / 38.0)
    assert (np.diff(own) < 0).all() and own[-1] < 0.1
    assert [one.loop for one in faded(gains, commissioned)] == [0]


def test_a_pairing_that_cannot_be_detuned_is_found() -> None:
    """Skogestad & Postlethwaite: a negative diagonal relative gain forbids the pairing."""
    crossed = np.array([[1.0, 5.0], [5.0, 1.0]])
    found = controllable(crossed)
    assert not found.holds and found.worst == (0, 1) and found.figure < 0
    assert controllable(crossed[::-1]).holds


def test_a_bad_pair_is_found_among_three_good_loops() -> None:
    gains = np.eye(4)
    gains[1, 2] = gains[2, 1] = 3.0
    found = controllable(gains)
    assert not found.holds and set(found.worst) == {1, 2}


def test_a_turned_gain_is_told_as_turned() -> None:
    before = np.diag([1.0, 2.0, 3.0])
    found = faded(np.diag([0.9, -0.5, 1.0]), before)
    assert [(one.loop, one.has_turned) for one in found] == [(1, True), (2, False)]


def test_dynamic_relative_gains_fall_to_one_where_the_plant_is_too_slow_to_interact() -> None:
    """A fast diagonal and a slow cross path: at a full turn per four periods little is left."""
    jacobian = np.diag([0.1, 0.1, 0.99])
    moved = np.array([[1.0, 0.0], [0.0, 1.0], [0.01, 0.0]])
    read = np.array([[1.0, 0.0, 0.0], [0.6, 1.0, 0.9]])
    read[0, 1] = 0.5
    found = np.abs(relative_gains(response(jacobian, moved, read, np.array([1e-4, np.pi / 2]))))
    assert abs(found[1, 0, 0] - 1.0) < abs(found[0, 0, 0] - 1.0)


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="singular"):
        relative_gains(np.ones((2, 2)))
    with pytest.raises(ValueError, match="own output"):
        niederlinski(np.array([[0.0, 1.0], [1.0, 1.0]]))
    with pytest.raises(ValueError, match="at most 8"):
        controllable(np.eye(9))
