"""Does the guide's HPA follow the greater of queue and running requests?"""

from flyball.sim.rivals.hpa_on_epp import HpaOnEpp, average_value
from support.rivals import fleet, reading


def test_queue_as_a_whole() -> None:
    loop = HpaOnEpp(fleet())
    replicas = [(0, 200, 0.5)] * 2
    # Queue 500 of 250: ratio 2 of 2 ready; running 400 -> 2 replicas.
    assert loop.wish(reading(0.0, replicas, held=500)) == 4
    assert loop.wish(reading(0.0, replicas, held=260)) == 2  # within 10 %
    assert loop.wish(reading(0.0, replicas, held=0)) == 2


def test_running_per_replica() -> None:
    loop = HpaOnEpp(fleet())
    assert loop.wish(reading(0.0, [(0, 300, 0.5)] * 2)) == 3  # 600 / 250 = 2.4
    assert loop.wish(reading(0.0, [(0, 260, 0.5)] * 2)) == 2  # 1.04 of the target
    assert loop.wish(reading(0.0, [(744, 256, 0.5)] * 2)) == 8  # waiting in engines counts
    assert loop.wish(reading(0.0, [(0, 10, 0.5)] * 4)) == 1


def test_average_value_by_hand() -> None:
    assert average_value(4, 1000.0, 250.0, 0.1) == 4
    assert average_value(4, 1101.0, 250.0, 0.1) == 5
    assert average_value(0, 251.0, 250.0, 0.1) == 2


def test_growth_is_doubling_and_shrinking_waits() -> None:
    loop = HpaOnEpp(fleet())
    assert loop.desired(reading(0.0, [(0, 0, 0.0)], held=5000)) == 2
    assert loop.desired(reading(20.0, [(0, 0, 0.0)] * 2, held=0)) == 2
