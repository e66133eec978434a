"""Are clocks lowered at both thresholds, and raised again only with a margin?"""

import pytest

from flyball.sim.rivals.polca import Polca
from flyball.sim.rivals.power import PowerReading


def clocks(loop: Polca, used: float, site: str = "s") -> tuple[float, float]:
    reading = PowerReading(
        at=0.0, site=site, watts=1000 * used, watts_max=1000.0, replicas=1, replica_watts_max=400.0
    )
    order = loop.order(reading)
    return order.clock_ratio_low * 1410, order.clock_ratio_high * 1410


def test_levels_and_hysteresis() -> None:
    loop = Polca()
    steps = [
        (0.79, 1410, 1410),
        (0.80, 1275, 1410),
        (0.76, 1275, 1410),  # within 5 % of the limit below the threshold
        (0.74, 1410, 1410),
        (0.90, 1110, 1305),
        (0.85, 1110, 1305),
        (0.83, 1275, 1410),
        (1.00, 288, 288),
        (0.96, 288, 288),
        (0.94, 1110, 1305),
        (0.10, 1410, 1410),
    ]
    for used, low, high in steps:
        assert clocks(loop, used) == pytest.approx((low, high)), used


def test_sites_are_apart() -> None:
    loop = Polca()
    clocks(loop, 0.9, "a")
    assert clocks(loop, 0.78, "b") == pytest.approx((1410, 1410))
