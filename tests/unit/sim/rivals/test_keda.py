"""Does KEDA follow waiting requests, and go to zero and back by its own clock?"""

from flyball.sim.rivals.keda import Keda
from support.rivals import fleet, reading


def test_five_waiting_per_replica() -> None:
    loop = Keda(fleet())
    # 12 in engines and 10 held: 22 / 5 = 4.4.
    assert loop.desired(reading(0.0, [(6, 9, 0.5)] * 2, held=10)) == 5
    assert loop.wish(reading(0.0, [(5, 9, 0.5)] * 2)) == 2


def test_to_zero_after_the_cooldown_and_back_at_a_poll() -> None:
    loop = Keda(fleet())
    assert loop.desired(reading(0.0, [(0, 1, 0.1)])) == 1
    assert loop.desired(reading(15.0, [(0, 0, 0.0)])) == 1
    assert loop.desired(reading(299.0, [(0, 0, 0.0)])) == 1
    assert loop.desired(reading(300.0, [(0, 0, 0.0)])) == 0
    assert loop.desired(reading(310.0, [])) == 0  # this poll sees nothing
    assert loop.desired(reading(325.0, [], held=3)) == 0  # the next is due at 340
    assert loop.desired(reading(340.0, [], held=3)) == 1


def test_work_puts_the_cooldown_off() -> None:
    loop = Keda(fleet())
    assert loop.desired(reading(0.0, [(0, 1, 0.1)])) == 1
    assert loop.desired(reading(200.0, [(0, 1, 0.1)])) == 1
    assert loop.desired(reading(499.0, [(0, 0, 0.0)])) == 1
    assert loop.desired(reading(500.0, [(0, 0, 0.0)])) == 0


def test_it_keeps_one_where_zero_is_forbidden_and_stays_below_its_most() -> None:
    loop = Keda(fleet(), {"replicas_min": 1, "replicas_max": 3})
    assert loop.desired(reading(0.0, [(0, 0, 0.0)])) == 1
    assert loop.desired(reading(1000.0, [(0, 0, 0.0)])) == 1
    assert loop.desired(reading(1015.0, [(90, 9, 0.9)])) == 3
