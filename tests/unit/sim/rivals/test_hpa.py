"""Are ratio, tolerance, windows and limits those of Kubernetes?"""

import pytest

from flyball.sim.rivals.hpa import Behavior, Hpa, Pace, behavior, wished
from support.rivals import fleet, reading


def ready(count: int) -> list[tuple[int, int, float]]:
    return [(0, 0, 0.0)] * count


@pytest.mark.parametrize(
    ("current", "ratio", "want"),
    [(4, 1.1, 4), (4, 0.9, 4), (4, 1.11, 5), (4, 0.89, 4), (4, 0.75, 3), (4, 2.0, 8), (1, 0.0, 0)],
)
def test_ceil_of_the_ratio_outside_the_tolerance(current: int, ratio: float, want: int) -> None:
    assert wished(current, ratio, 0.1) == want


def test_up_at_once_but_no_more_than_double_or_four_pods() -> None:
    loop = Hpa(fleet(), {"utilisation_target": 0.1})
    # 1.0 / 0.1 = 10 times: 2 -> 20, but max(100 %, 4 pods) in 15 s = 6.
    assert loop.desired(reading(0.0, ready(2), busy=1.0)) == 6
    assert loop.desired(reading(5.0, ready(2), busy=1.0, starting=4)) == 6  # same 15 s
    assert loop.desired(reading(15.0, ready(6), busy=1.0)) == 12


def test_down_only_after_five_minutes_of_lower_wishes() -> None:
    loop = Hpa(fleet())
    assert loop.desired(reading(0.0, ready(4), busy=0.8)) == 4
    for at in (15.0, 150.0, 299.0):
        assert loop.desired(reading(at, ready(4), busy=0.1)) == 4
    # The wish for 4 is now 300 s old; ceil(4 * .1/.8) = 1.
    assert loop.desired(reading(300.0, ready(4), busy=0.1)) == 1


def test_starting_replicas_count_as_idle_when_growing() -> None:
    loop = Hpa(fleet())
    # Busy .95 of 2 ready: ratio 1.1875; over 4 with 2 idle: .59 < 1, so nothing moves.
    assert loop.wish(reading(0.0, ready(2), busy=0.95, starting=2)) == 4
    # With a target of .2 the spread ratio is 2.5 * 2/3... of 3: ceil(3 * 5 * 2/3).
    hot = Hpa(fleet(), {"utilisation_target": 0.2})
    assert hot.wish(reading(0.0, ready(2), busy=1.0, starting=1)) == 10
    # Shrinking looks at the ready ones alone.
    assert loop.wish(reading(0.0, ready(4), busy=0.4, starting=2)) == 2
    assert loop.wish(reading(0.0, [], busy=0.0, starting=1)) == 1


def test_never_below_one() -> None:
    loop = Hpa(fleet(), {"down_stabilise_s": 0.0})
    assert loop.desired(reading(0.0, ready(3), busy=0.0)) == 1
    assert loop.period_s == 15.0


def test_pools_are_apart() -> None:
    loop = Hpa(fleet())
    assert loop.desired(reading(0.0, ready(4), busy=0.8)) == 4
    # An HPA that begins holds what it finds for the window: its first record is what is there.
    assert loop.desired(reading(0.0, ready(2), pool="other", busy=0.1)) == 2
    assert loop.desired(reading(300.0, ready(2), pool="other", busy=0.1)) == 1


def test_up_windows_hold_growth_back_and_down_limits_count_in_per_cent() -> None:
    rules = Behavior(
        up_stabilise_s=60.0,
        up_percent=100.0,
        up_pods=0.0,
        up_period_s=15.0,
        down_stabilise_s=0.0,
        down_percent=50.0,
        down_period_s=60.0,
    )
    pace = Pace(rules)
    assert pace.limit(0.0, 4, 4) == 4
    assert pace.limit(30.0, 4, 8) == 4
    assert pace.limit(61.0, 4, 8) == 8
    # Half of 8 in a minute: 4, and no more until it has passed.
    pace = Pace(rules)
    assert pace.limit(0.0, 8, 1) == 4
    assert pace.limit(30.0, 4, 1) == 4
    assert pace.limit(60.0, 4, 1) == 2


def test_behavior_is_read_from_the_constants() -> None:
    rules = behavior(Hpa(fleet()).constants)
    assert (rules.down_stabilise_s, rules.up_pods) == (300.0, 4)
