"""Is the limit shared equally, between the hardware's least cap and full power?"""

from flyball.sim.rivals.power import PowerReading
from flyball.sim.rivals.static_cap import StaticCap


def cap(watts_max: float, replicas: int, watts: float = 0.0) -> float:
    reading = PowerReading(
        at=0.0,
        site="s",
        watts=watts,
        watts_max=watts_max,
        replicas=replicas,
        replica_watts_max=700.0,
    )
    return StaticCap().order(reading).replica_watts_cap


def test_equal_shares_whatever_the_load() -> None:
    assert cap(2000.0, 4) == cap(2000.0, 4, watts=1900.0) == 500.0
    assert cap(10_000.0, 4) == 700.0
    assert cap(400.0, 4) == 210.0  # 0.3 of full
    assert cap(500.0, 0) == 500.0
