"""Do servers under a feed bring their load with them, and is a run judged by both sides?"""

import pytest
from msgspec.structs import replace

from flyball.model.request import GATE_SHARE
from flyball.sim.build import build
from flyball.sim.experiments.power import (
    FEED_SERVERS,
    TOLERANCES,
    Capper,
    feed_watts,
    is_carried,
    joules_per_good_token,
    scenario,
)
from flyball.sim.run import run

CAPPERS = (
    Capper(core="epp_default"),
    Capper(core="epp_default", power="polca"),
    Capper(core="epp_default", power="static_cap"),
    Capper(core="governor", power="governor", hold_ratio=GATE_SHARE),
    Capper(core="governor", power="governor", consolidates=True, hold_ratio=GATE_SHARE),
)


@pytest.mark.parametrize("one", CAPPERS)
@pytest.mark.parametrize("servers", [8, 11])
def test_the_feed_stays_and_the_load_grows_with_the_servers(one: Capper, servers: int) -> None:
    shape = scenario(one, servers, 0.7, 1)
    fleet, policy = build(shape)
    assert len(fleet.endpoints) == servers
    assert fleet.sites[0].power_watts_max == pytest.approx(feed_watts())
    full = fleet.pools[0].profile.power.full_watts
    assert feed_watts() == pytest.approx(FEED_SERVERS * full)
    assert shape.workload.generate is not None
    per_server = shape.workload.generate.rate / servers
    alone = scenario(one, 1, 0.7, 1).workload.generate
    assert alone is not None and alone.rate == pytest.approx(per_server)
    named = {loop.name for loop in policy.loops}
    assert ("consolidation" in named, "power" in named) == (
        one.consolidates,
        one.power == "governor",
    )


def test_a_feed_that_is_passed_is_not_carried_and_a_saved_watt_is_seen() -> None:
    one = CAPPERS[0]
    shape = replace(scenario(one, 2, 0.2, 1), duration_s=60.0, warmup_s=5.0)
    tight = replace(scenario(one, 2, 0.2, 1, feed_ratio=0.1), duration_s=60.0, warmup_s=5.0)
    wide, narrow = (run(each, *build(each)) for each in (shape, tight))
    assert wide.report.site_over_limit_s["site"] == 0.0 < narrow.report.site_over_limit_s["site"]
    strict, lenient = TOLERANCES.values()
    assert is_carried(wide, strict) and is_carried(wide, lenient)
    assert not is_carried(narrow, strict) and not is_carried(narrow, lenient)
    assert strict.time_max < lenient.time_max and strict.watts_max < lenient.watts_max
    spent = sum(pool.joules for pool in wide.report.pools)
    good = wide.columns["output_tokens"][wide.columns["in_time"] == 1].sum()
    assert joules_per_good_token(wide) == pytest.approx(spent / good)


def test_without_a_good_token_every_joule_is_lost() -> None:
    shape = replace(scenario(CAPPERS[0], 2, 0.2, 1, None), duration_s=30.0, warmup_s=5.0)
    result = run(shape, *build(shape))
    result.columns["in_time"][:] = 0
    assert joules_per_good_token(result) == float("inf")
