"""Do orders default to no order, and do all power loops take the same reading?"""

from flyball.sim.rivals import POWER_LOOPS
from flyball.sim.rivals.power import PowerOrder, PowerReading

IDLE = PowerReading(
    at=0.0, site="s", watts=100.0, watts_max=1e6, replicas=4, replica_watts_max=700.0
)


def test_no_order() -> None:
    order = PowerOrder()
    assert (order.clock_ratio_low, order.clock_ratio_high) == (1.0, 1.0)
    assert order.replica_watts_cap == float("inf")


def test_far_below_the_limit_nobody_slows_anything() -> None:
    for make in POWER_LOOPS.values():
        loop = make(None)
        order = loop.order(IDLE)
        assert loop.period_s > 0.0
        assert order.clock_ratio_low == order.clock_ratio_high == 1.0
        assert order.replica_watts_cap >= 700.0
