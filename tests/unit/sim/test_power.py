"""Is a site kept below its limit, by as much as needed, and its peak noted?"""

import pytest

from flyball.sim.power import CLOCK_RATIO_MIN, clock_ratio
from support.worlds import ran


def test_the_clock_falls_just_as_far_as_needed() -> None:
    assert clock_ratio(100.0, 500.0, 600.0) == 1.0
    ratio = clock_ratio(100.0, 500.0, 400.0)
    assert 100.0 + 500.0 * ratio**3 == pytest.approx(400.0)
    assert clock_ratio(100.0, 500.0, 90.0) == CLOCK_RATIO_MIN
    assert clock_ratio(100.0, 0.0, 50.0) == 1.0


def test_a_limit_saves_energy_and_costs_time() -> None:
    free = ran(workload__generate__rate=10).report
    tight = ran(workload__generate__rate=10, fleet__sites__far__power_watts_max=450).report
    assert free.site_watts_peak["far"] > 450
    assert tight.pools[0].joules < 0.95 * free.pools[0].joules
    assert tight.total.tpot_s.mean > free.total.tpot_s.mean
    assert tight.breaches == ()


def test_a_rival_loop_sets_the_clocks_instead() -> None:
    polca = ran(
        workload__generate__rate=10,
        fleet__sites__far__power_watts_max=450,
        loops={"power": "polca", "power_low": ["h100"]},
    ).report
    free = ran(workload__generate__rate=10).report
    assert polca.pools[0].joules < free.pools[0].joules
    assert polca.total.tpot_s.mean > free.total.tpot_s.mean
