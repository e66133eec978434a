"""Are target, look-back and delays those of Ray Serve?"""

from flyball.sim.rivals.ray_serve import RayServe
from support.rivals import fleet, reading


def test_growth_after_thirty_seconds_of_wishing() -> None:
    loop = RayServe(fleet())
    for at in (0.0, 10.0, 20.0):
        assert loop.desired(reading(at, [(3, 4, 0.5)] * 2)) == 2
    assert loop.desired(reading(30.0, [(3, 4, 0.5)] * 2)) == 7  # 14 ongoing / 2


def test_a_wish_the_other_way_starts_anew() -> None:
    loop = RayServe(fleet())
    assert loop.desired(reading(0.0, [(0, 8, 0.5)] * 2)) == 2
    assert loop.desired(reading(40.0, [(0, 1, 0.5)] * 2)) == 2  # wants 1
    assert loop.desired(reading(80.0, [(0, 8, 0.5)] * 2)) == 2
    assert loop.desired(reading(110.0, [(0, 8, 0.5)] * 2)) == 8


def test_shrinking_takes_ten_minutes() -> None:
    loop = RayServe(fleet())
    for at in range(0, 600, 10):
        assert loop.desired(reading(float(at), [(0, 1, 0.1)] * 4)) == 4
    assert loop.desired(reading(600.0, [(0, 1, 0.1)] * 4)) == 2


def test_the_look_back_is_a_mean_of_thirty_seconds() -> None:
    loop = RayServe(fleet(), {"up_delay_s": 0.0})
    assert loop.desired(reading(0.0, [(0, 2, 0.1)])) == 1
    assert loop.desired(reading(10.0, [(0, 10, 0.1)])) == 3  # mean 6
    assert loop.desired(reading(30.0, [(0, 10, 0.1)] * 1)) == 5  # the first is gone


def test_from_zero_at_once_and_never_below_the_least() -> None:
    loop = RayServe(fleet(), {"down_delay_s": 0.0})
    assert loop.desired(reading(0.0, [])) == 0
    assert loop.desired(reading(10.0, [], held=1)) == 1
    idle = RayServe(fleet(), {"down_delay_s": 0.0})
    assert idle.desired(reading(0.0, [(0, 0, 0.0)] * 3)) == 1
