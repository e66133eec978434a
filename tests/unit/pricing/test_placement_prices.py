"""Do prices say what a change is worth? (Each is compared with the change itself, solved anew.)"""

import numpy as np
import pytest
from msgspec.structs import replace

from flyball.model.fleet import Site
from flyball.model.request import Promise
from flyball.pricing.placement import Asset, Placement
from flyball.pricing.placement_highs import Fluid
from flyball.pricing.placement_prices import (
    Base,
    base,
    by_class,
    changes,
    cost_usd_per_hour,
    flow_prices_usd,
    milliseconds,
    misplaced,
    next_units,
    rules,
)
from flyball.pricing.placement_program import program
from support.placements import flow, placement

SITES = [
    Site(name="near", jurisdiction="EU", power_watts_max=1500.0, usd_per_kwh=0.2),
    Site(name="far", jurisdiction="US", usd_per_kwh=0.05),
]
ASSETS = [
    Asset(site_index=0, accelerator="H100-SXM", owned=1, rent_max=2, usd_per_hour=9.0),
    Asset(site_index=0, accelerator="A100-SXM-80GB", owned=3, usd_per_hour=4.2),
    Asset(site_index=1, accelerator="H100-SXM", owned=0, rent_max=8, usd_per_hour=6.0),
    Asset(site_index=1, accelerator="L4", owned=2, usd_per_hour=1.0),
    Asset(site_index=1, accelerator="A100-SXM-80GB", owned=0, usd_per_hour=4.2),
]
FLOWS = [
    flow("chat", 2, rate=40.0, promise=Promise(ttft_s=0.5, tpot_s=0.04), rtt_s=(0.01, 0.09)),
    flow("local", 2, rate=15.0, jurisdictions=("EU",), rtt_s=(0.01, 0.09)),
    flow("spare", 2, rate=5.0, value_usd=0.0002, served_min=0.0, rtt_s=(0.01, 0.09)),
]
PROBLEM = placement(FLOWS, ASSETS, SITES, z=0.0)


def based(problem: Placement = PROBLEM) -> Base:
    found = base(program(problem))
    assert found is not None
    return found


def profit(problem: Placement) -> float:
    answer = Fluid().solve(program(problem))
    assert answer is not None
    return answer.objective_usd_per_hour


def with_flow(place: int, **fields: object) -> Placement:
    flows = list(FLOWS)
    flows[place] = replace(flows[place], **fields)
    return replace(PROBLEM, flows=tuple(flows))


def with_class(place: int, **fields: object) -> Placement:
    return with_flow(place, klass=replace(FLOWS[place].klass, **fields))


def test_one_more_request_costs_its_price() -> None:
    one = based()
    for place, price in enumerate(flow_prices_usd(one)):
        more = with_flow(place, rate_per_s=FLOWS[place].rate_per_s + 0.01)
        value = FLOWS[place].klass.value_usd
        gained = (profit(more) - one.objective) / 0.01 / 3600.0
        assert price == pytest.approx(value - gained, rel=1e-3)
        assert 0.0 <= price <= value * (1 + 1e-9)


def test_a_watt_and_an_accelerator_are_worth_their_duals() -> None:
    one = based()
    assert one.duals.watt[0] > 0 == one.duals.watt[1]
    wider = [replace(SITES[0], power_watts_max=1501.0), SITES[1]]
    gained = profit(replace(PROBLEM, sites=tuple(wider))) - one.objective
    assert gained == pytest.approx(one.duals.watt[0], rel=1e-3)
    for place, asset in enumerate(ASSETS):
        more = list(ASSETS)
        more[place] = replace(asset, owned=asset.owned + 1)
        gained = profit(replace(PROBLEM, assets=tuple(more))) - one.objective
        assert gained <= one.duals.asset[place] + 1e-6  # the first bit of it is worth most
        if asset.rent_max and one.answer.rented[place] > 1.0:
            assert gained == pytest.approx(asset.usd_per_hour) == one.duals.asset[place]


def test_a_millisecond_is_worth_what_it_changes() -> None:
    found = {(one.class_name, one.bound): one for one in milliseconds(based())}
    assert set(found) == {(f.klass.name, b) for f in FLOWS for b in ("ttft", "tpot")}
    chat = found["chat", "tpot"]
    assert chat.promised_s == 0.04 and chat.saved_usd_per_hour > 0
    longer = with_class(0, promise=Promise(ttft_s=0.5, tpot_s=0.0404))
    assert chat.saved_usd_per_hour == pytest.approx((profit(longer) - profit(PROBLEM)) / 0.4)
    assert chat.costs_usd_per_hour is not None
    assert chat.costs_usd_per_hour >= chat.saved_usd_per_hour * 0.99  # it gets dearer and dearer
    assert all(
        one.costs_usd_per_hour != 0.0 or not one.saved_usd_per_hour for one in found.values()
    )


def test_a_promise_that_cannot_be_tightened_says_so() -> None:
    edge = replace(FLOWS[0].klass, promise=Promise(tpot_s=0.00700))
    tight = replace(PROBLEM, flows=(replace(FLOWS[0], klass=edge, rate_per_s=0.001),))
    prices = list(milliseconds(based(tight)))
    assert [one.costs_usd_per_hour for one in prices] == [None]


def test_a_rule_is_worth_what_it_forbids() -> None:
    one = based()
    found = {rule.class_name: rule for rule in rules(one)}
    assert set(found) == {"local"}
    anywhere = profit(with_class(1, jurisdictions=()))
    assert found["local"].saved_usd_per_hour == pytest.approx(anywhere - one.objective)
    assert found["local"].saved_usd_per_hour > 1e-4
    assert found["local"].of_each == (("US", pytest.approx(anywhere - one.objective)),)


def test_the_next_accelerator_and_the_misplaced_ones() -> None:
    one = based()
    units = next_units(one)
    gains = [unit.gain_usd_per_hour for unit in units]
    assert gains == sorted(gains, reverse=True) and gains[0] > 0
    assert (units[0].site, units[0].accelerator, units[0].from_site) == ("far", "H100-SXM", "")
    lost = {(move.from_site, move.accelerator): move for move in misplaced(one)}
    idle = one.duals.asset <= 1e-6
    assert set(lost) == {
        (SITES[asset.site_index].name, asset.accelerator)
        for place, asset in enumerate(ASSETS)
        if asset.owned and idle[place]
    }
    stuck = lost["near", "A100-SXM-80GB"]  # power, not accelerators, is what is short there
    assert stuck.site == "far" and stuck.gain_usd_per_hour > 1.0
    moved = list(ASSETS)
    moved[1], moved[4] = replace(ASSETS[1], owned=2), replace(ASSETS[4], owned=1)
    gained = profit(replace(PROBLEM, assets=tuple(moved))) - one.objective
    assert stuck.gain_usd_per_hour == pytest.approx(gained)


def test_changes_are_solved_anew() -> None:
    one = based()
    found = {(change.of, change.ratio): change for change in changes(one)}
    assert len(found) == 8
    more = replace(PROBLEM, flows=tuple(replace(f, rate_per_s=1.2 * f.rate_per_s) for f in FLOWS))
    assert found["demand", 1.2].profit_usd_per_hour == pytest.approx(profit(more))
    dearer = [replace(asset, usd_per_hour=1.2 * asset.usd_per_hour) for asset in ASSETS]
    same = found["rents", 1.2].profit_usd_per_hour
    assert same == pytest.approx(profit(replace(PROBLEM, assets=tuple(dearer))))
    assert found["tariffs", 0.8].profit_usd_per_hour > one.objective
    costs = [found["demand", ratio].cost_usd_per_hour for ratio in (0.8, 0.9, 1.1, 1.2)]
    assert costs == sorted(costs)
    assert cost_usd_per_hour(one.program, one.answer) < costs[2]


def test_a_demand_too_high_is_told_by_what_is_left_out() -> None:
    tight = [replace(ASSETS[0], rent_max=0), *ASSETS[1:2]]
    few = placement([replace(FLOWS[1], rate_per_s=28.0)], tight, SITES, z=0.0)
    found = {change.ratio: change for change in changes(based(few)) if change.of == "demand"}
    assert found[0.8].unmet_ratio == found[0.9].unmet_ratio == 0.0
    assert 0.0 < found[1.2].unmet_ratio < 0.2
    assert found[1.2].cost_usd_per_hour == 0.0


def test_no_base_where_something_must_be_left_out() -> None:
    assert base(program(placement([FLOWS[0]], [ASSETS[3]], SITES))) is None
    assert by_class(program(PROBLEM)) == {"chat": [0], "local": [1], "spare": [2]}
    assert np.isclose(based().gain(based().program) or 0.0, 0.0)
