"""Does a report add up, and is it one where not all can be served too?"""

import pytest
from msgspec.structs import replace

from flyball.model.fleet import Site
from flyball.pricing.placement import Asset
from flyball.pricing.placement_report import GAP_RATIO, Report, report
from support.placements import drawn, flow, placement

SITES = [Site(name="here", jurisdiction="EU", power_watts_max=5000.0, usd_per_kwh=0.2)]
H100 = Asset(site_index=0, accelerator="H100-SXM", owned=1, rent_max=9, usd_per_hour=8.0)
PROBLEM = placement([flow(rate=40.0, rate_sd_per_s=4.0)], [H100], SITES)


def adds_up(found: Report) -> None:
    used = {(one.site, one.accelerator): 0 for one in found.assets}
    for pool in found.pools:
        used[pool.site, pool.accelerator] += pool.accelerators
        assert pool.replicas > 0 and 0 <= pool.load <= 1 + 1e-6
    for asset in found.assets:
        assert used[asset.site, asset.accelerator] == asset.used
        assert asset.rented == max(0, asset.used - asset.owned)
    for site in found.sites:
        assert site.kw == pytest.approx(sum(p.kw for p in found.pools if p.site == site.site))
        assert site.kw_max is None or site.kw <= site.kw_max * (1 + 1e-6)
    energy = sum(pool.energy_usd_per_hour for pool in found.pools)
    assert energy == pytest.approx(found.energy_usd_per_hour, rel=1e-6, abs=1e-9)
    rent = sum(asset.rented * asset.rent_usd_per_hour for asset in found.assets)
    assert rent == pytest.approx(found.rent_usd_per_hour, rel=1e-6, abs=1e-6)
    for one in found.flows:
        assert sum(share.rate_per_s for share in one.shares) == pytest.approx(one.served_per_s)
        assert one.served_per_s <= one.rate_per_s * (1 + 1e-9)


def test_a_plan_for_more_than_the_mean_by_hand() -> None:
    steps: list[str] = []
    found = report(PROBLEM, "it", ("a note",), tell=steps.append)
    adds_up(found)
    assert found.serves_all and found.name == "it" and found.notes == ("a note",)
    assert len(steps) == 4
    (pool,) = found.pools
    (share,) = found.flows[0].shares
    need = 48.0 / (16.9)  # H100s that keep that promise at 48 = 40 + 2 x 4 requests a second
    assert pool.replicas == pytest.approx(need, abs=1.0)
    assert found.rent_usd_per_hour == 8.0 * (pool.replicas - 1)
    assert share.rate_per_s == pytest.approx(40.0)
    assert share.ttft_ms <= 1000.0 and share.tpot_ms <= 60.0 + 1e-3
    assert found.flows[0].price_usd is not None and 0 < found.flows[0].price_usd < 0.01
    cheaper = report(replace(PROBLEM, z=0.0))
    assert cheaper.rent_usd_per_hour <= found.rent_usd_per_hour


@pytest.mark.parametrize("seed", range(6))
def test_drawn_reports_add_up(seed: int) -> None:
    found = report(drawn(seed, 5, 3, 4, 4))
    adds_up(found)
    if found.serves_all:
        cost = found.energy_usd_per_hour + found.rent_usd_per_hour
        assert 0.0 <= found.gap_usd_per_hour <= GAP_RATIO * cost + 1.0
        assert not found.blocked
    else:
        assert found.blocked


def test_what_cannot_be_served_is_in_the_report() -> None:
    found = report(replace(PROBLEM, flows=(flow(rate=400.0),)))
    adds_up(found)
    assert not found.serves_all
    assert found.blocked[0].unmet_per_s > 0 and found.relaxations
    assert found.flows[0].price_usd is None and not found.milliseconds
    assert sum(pool.replicas for pool in found.pools) >= 7


def test_what_fits_in_fractions_alone_is_told() -> None:
    split = [
        replace(SITES[0], name=name, power_watts_max=450.0) for name in ("a", "b")
    ]  # each feeds two thirds of an H100
    assets = [replace(H100, site_index=place) for place in (0, 1)]
    found = report(placement([flow(sites=2, rate=6.0)], assets, split, z=0.0))
    if not found.serves_all:
        assert "replicas in fractions would serve all, whole ones do not" in found.notes
    tiny = [replace(site, power_watts_max=120.0) for site in split]
    found = report(placement([flow(sites=2, rate=0.5)], assets, tiny, z=0.0))
    assert not found.serves_all and found.pools == ()
    assert "replicas in fractions would serve all, whole ones do not" in found.notes


def test_a_problem_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="no demand"):
        report(replace(PROBLEM, flows=()))
