"""Are stable and panic mode those of the algorithm?"""

from flyball.sim.rivals.kpa import Kpa
from support.rivals import fleet, reading

TUNED = {"concurrency_target": 10.0}


def load(at: float, total: int, ready: int, starting: int = 0):
    replicas = [(0, 0, 0.0)] * (ready - 1) + [(0, total, 0.0)] if ready else []
    return reading(at, replicas, starting=starting)


def test_mean_over_the_stable_window() -> None:
    loop = Kpa(fleet(), TUNED)
    assert loop.desired(load(0.0, 20, 2)) == 2
    # Stable mean (20 + 32) / 2 = 26 -> 3; panic mean is the same: 3 / 2 < 2.
    assert loop.desired(load(15.0, 32, 2)) == 3


def test_no_more_than_twice_the_ready() -> None:
    loop = Kpa(fleet(), TUNED)
    assert loop.desired(load(0.0, 1000, 2)) == 4


def test_panic_keeps_what_it_has_until_a_stable_window_has_passed() -> None:
    loop = Kpa(fleet(), {**TUNED, "down_delay_s": 0.0})
    assert loop.desired(load(0.0, 40, 2)) == 4  # 4 / 2 >= 2: panic
    assert loop.desired(load(60.0, 0, 4)) == 4
    assert loop.desired(load(170.0, 0, 4)) == 4
    # 180 s after the panic; stable mean 0, and at most halved.
    assert loop.desired(load(181.0, 0, 4)) == 2


def test_shrinking_waits_for_the_delay() -> None:
    loop = Kpa(fleet(), TUNED)
    assert loop.desired(load(0.0, 40, 4)) == 4
    assert loop.desired(load(200.0, 0, 4)) == 4
    assert loop.desired(load(301.0, 0, 4)) == 2


def test_within_the_tolerance_nothing_moves() -> None:
    loop = Kpa(fleet(), TUNED)
    assert loop.desired(load(0.0, 195, 19)) == 19  # 20 / 19 is 5 % more
    assert loop.desired(reading(15.0, [], held=3)) >= 1
