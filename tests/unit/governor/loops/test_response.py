"""Is a model contradicted by the wrong sign or size, and never by noise alone?"""

import random

import pytest

from flyball.governor.loops.response import MOVES_MIN, Response


def shown(true_slope: float, noise: float = 0.0, moves: int = 10, seed: int = 1) -> Response:
    """Moves of +1 and -1 whose model says slope 1, at a plant with another."""
    made, chance, at = Response(), random.Random(seed), 0.0
    for step in range(moves):
        move = 1.0 if step % 2 else -1.0
        made.moved(at, move, 5.0, 10.0)
        made.look(at + 5.0, 99.0)  # too early: not looked at
        made.look(at + 10.0, 5.0 + true_slope * move + chance.gauss(0.0, noise))
        at += 20.0
    return made


def test_before_some_moves_nothing_is_said() -> None:
    assert shown(-1.0, moves=MOVES_MIN - 1).ratio() is None
    assert shown(-1.0, moves=MOVES_MIN - 1).contradiction() == ""


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0])
def test_a_plant_near_its_model_contradicts_nothing(true: float) -> None:
    assert shown(true, noise=0.2).contradiction() == ""


def test_the_wrong_sign_and_size_are_told() -> None:
    assert "opposite sign" in shown(-1.0, noise=0.2).contradiction()
    assert "of what was predicted" in shown(0.05, noise=0.02).contradiction()
    assert "of what was predicted" in shown(6.0, noise=0.2).contradiction()


def test_moves_that_overlap_are_counted_together() -> None:
    made = Response()
    for step in range(MOVES_MIN):
        made.moved(100.0 * step, 1.0, 5.0, 10.0)
        made.moved(100.0 * step + 5.0, 1.0, 5.4, 10.0)
        made.look(100.0 * step + 15.0, 7.0)
    found = made.ratio()
    assert found is not None and found[0] == pytest.approx(1.0)


def test_what_was_seen_can_be_forgotten() -> None:
    made = shown(-1.0)
    made.forget()
    assert made.ratio() is None


def test_noise_hardly_ever_contradicts() -> None:
    """Noise ten times the move: nothing can be known, so all but a few of 400 runs say nothing."""
    alarms = sum(bool(shown(1.0, noise=10.0, seed=seed).contradiction()) for seed in range(400))
    assert alarms <= 8, f"{alarms} of 400 (seeds 0 to 399)"
