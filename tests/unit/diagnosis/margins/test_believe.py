"""Is the right twin believed, and one with other delays or laws found out?"""

import numpy as np
import pytest

from flyball.diagnosis.margins import believe, fluid
from flyball.diagnosis.margins.whatif import settle

SEED = 29


def answers(knobs: np.ndarray, rows: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Set-points that these knobs' twin shows under a dither, and the dither."""
    print(f"seed {SEED}")
    chance = np.random.default_rng(SEED)
    offsets = chance.choice([-1.0, 1.0], size=(rows, 3)) * (0.02, 0.02, 0.6)
    states, found = settle(fluid.TWIN, fluid.start(knobs), knobs)
    assert found.all()
    told = believe.predicted(knobs, states, offsets)
    return told + noise * chance.normal(size=told.shape) * told.std(axis=0), offsets


def judged(
    real: np.ndarray, assumed: np.ndarray, noise: float, with_shape: bool = True
) -> tuple[believe.Belief, ...]:
    measured, offsets = answers(real, 240, noise)
    states, _ = settle(fluid.TWIN, fluid.start(assumed), assumed)
    told = believe.predicted(assumed, states, offsets)
    return believe.judged(measured, told, offsets if with_shape else None)


def test_the_right_twin_is_believed_through_noise() -> None:
    found = judged(fluid.theta(), fluid.theta(), 0.5)
    assert believe.believed(found)
    assert [one.loop for one in found] == ["cost", "router", "autoscaler"]
    assert all(one.low < 1.0 < one.high for one in found)


@pytest.mark.parametrize("knobs", [{"router_gain": 0.003}, {"fast_c": 20.0, "slow_c": 10.0}])
def test_another_plant_is_found_out(knobs: dict[str, float]) -> None:
    """A third of the gain, or queues a third as long and so a third of the slope of latency."""
    found = judged(fluid.theta(knobs), fluid.theta(), 0.1)
    assert not believe.believed(found)
    assert not found[1].holds and believe.share_off(found[1]) > believe.OFF_MAX


def test_a_tripled_gain_shows_in_the_shape_and_not_in_the_size() -> None:
    tripled = fluid.theta({"router_gain": 0.03})
    assert believe.believed(judged(tripled, fluid.theta(), 0.3, with_shape=False))
    found = judged(tripled, fluid.theta(), 0.3)
    assert not found[1].holds and found[1].shape_errors > believe.SHAPE_ERRORS
    assert believe.share_off(found[1]) == found[1].shape_off > 1.0


def test_noise_alone_has_no_shape() -> None:
    """Over 150 draws: the power that noise adds is taken off, and never sure to be too much."""
    print(f"seed {SEED}")
    chance = np.random.default_rng(SEED)
    measured, offsets = answers(fluid.theta(), 240)
    found = [
        believe.judged(
            measured
            + np.cumsum(size * chance.normal(size=measured.shape), axis=0) * measured.std(),
            measured,
            offsets,
        )[1]
        for size in (0.01, 0.1, 1.0)
        for _ in range(50)
    ]
    assert all(one.shape_errors < believe.SHAPE_ERRORS for one in found)
    assert 0.2 < np.mean([one.shape_off == 0.0 for one in found]) < 0.8


def test_gains_that_were_changed_meanwhile_are_taken_as_they_were() -> None:
    knobs = fluid.theta()
    states, _ = settle(fluid.TWIN, fluid.start(knobs), knobs)
    offsets = np.random.default_rng(SEED).choice([-1.0, 1.0], size=(80, 3)) * (0.02, 0.02, 0.6)
    gains = np.tile([0.05, 0.02, 0.35], (80, 1))
    moved = believe.predicted(knobs, states, offsets, gains)
    same = believe.predicted(fluid.theta({"router_gain": 0.02}), states, offsets)
    assert np.allclose(moved, same)


def test_a_loop_that_cannot_move_is_not_judged() -> None:
    found = believe.judged(np.zeros((60, 3)), np.zeros((60, 3)))
    assert all(one.holds and not one.is_known for one in found)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        believe.judged(np.zeros((20, 3)), np.zeros((20, 3)))
