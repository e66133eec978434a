"""Is what cannot be served explained, and does each change that is named serve it?"""

import pytest
from msgspec.structs import replace

from flyball.model.fleet import Site
from flyball.model.request import Promise
from flyball.pricing.placement import Asset, Flow, Placement
from flyball.pricing.placement_highs import Fluid, least_unmet
from flyball.pricing.placement_program import program
from flyball.pricing.placement_relax import Blocked, Relaxation, blocked, relaxations
from support.placements import flow, placement

SITES = [
    Site(name="near", jurisdiction="EU", power_watts_max=2000.0, usd_per_kwh=0.2),
    Site(name="far", jurisdiction="US", usd_per_kwh=0.05),
]
H100S = [
    Asset(site_index=0, accelerator="H100-SXM", rent_max=2, usd_per_hour=9.0),
    Asset(site_index=1, accelerator="H100-SXM", rent_max=50, usd_per_hour=6.0),
]
FAST = Promise(ttft_s=0.25, tpot_s=0.05)


def asked(*flows: Flow, assets: list[Asset] = H100S) -> Placement:
    return placement(list(flows), assets, SITES, z=0.0)


def fed(problem: Placement) -> Placement:
    """With all the power that it may want."""
    return replace(problem, sites=(replace(SITES[0], power_watts_max=1e6), SITES[1]))


def told(problem: Placement) -> tuple[list[Blocked], list[Relaxation]]:
    one = program(problem)
    unmet = least_unmet(one)
    assert unmet.sum() > 0
    return blocked(one, unmet), relaxations(one, unmet)


def local(rate: float, promise: Promise = FAST, **fields: object) -> Flow:
    return flow("local", 2, rate=rate, promise=promise, jurisdictions=("EU",),
                rtt_s=(0.005, 0.09), **fields)  # fmt: skip


def test_a_promise_no_replica_keeps_is_named_with_what_can_be_kept() -> None:
    (one,), changes = told(asked(local(5.0, Promise(tpot_s=0.005))))
    assert one.is_impossible and one.unmet_per_s == pytest.approx(5.0)
    assert one.options_barred == {"tpot": 1, "jurisdiction": 1}
    assert one.needed_ms["tpot"] > 6.7
    assert [change.class_name for change in changes] == [""]
    assert (
        changes[0].change.startswith("promise local tpot") and "instead of 5" in changes[0].change
    )


def test_too_little_for_a_flow_that_fits_names_every_limit_that_would_do() -> None:
    (one,), changes = told(fed(asked(local(60.0))))
    assert not one.is_impossible and one.needed_ms == {}
    words = [change.change for change in changes]
    assert any(word.startswith("let local run in US") for word in words)
    assert any(word.startswith("rent ") and word.endswith("at near") for word in words)
    assert not any("kW" in word for word in words)  # power is not what is short
    assert not any(word.endswith("at far") for word in words)
    costs = [change.cost_usd_per_hour for change in changes]
    assert costs == sorted(costs)


def test_as_many_accelerators_as_are_named_do_and_one_less_does_not() -> None:
    problem = fed(asked(local(60.0)))
    _, changes = told(problem)
    said = next(one.change for one in changes if one.change.startswith("rent"))
    count = int(said.split()[1])
    for more, serves in ((count, True), (count - 1, False)):
        assets = (replace(H100S[0], rent_max=2 + more), H100S[1])
        answer = Fluid().solve(program(replace(problem, assets=assets)))
        assert (answer is not None) is serves


def test_power_is_named_where_it_is_short() -> None:
    many = [replace(H100S[0], rent_max=50), H100S[1]]
    problem = asked(local(60.0), assets=many)
    _, changes = told(problem)
    said = next(one.change for one in changes if one.change.startswith("give near"))
    more_watts = 1000.0 * float(said.split()[2])
    for factor, serves in ((1.01, True), (0.98, False)):
        sites = (replace(SITES[0], power_watts_max=2000.0 + more_watts * factor), SITES[1])
        answer = Fluid().solve(program(replace(problem, sites=sites)))
        assert (answer is not None) is serves


def test_accelerators_come_with_the_power_that_they_need() -> None:
    problem = asked(local(60.0))
    _, changes = told(problem)
    said = next(one.change for one in changes if one.change.startswith("rent"))
    count, more_watts = int(said.split()[1]), 1000.0 * float(said.split()[-3])
    assert said == f"rent {count} more H100-SXM at near and give it {more_watts / 1e3:.3g} kW more"
    for factor, serves in ((1.01, True), (0.98, False)):
        sites = (replace(SITES[0], power_watts_max=2000.0 + more_watts * factor), SITES[1])
        assets = (replace(H100S[0], rent_max=2 + count), H100S[1])
        answer = Fluid().solve(program(replace(problem, sites=sites, assets=assets)))
        assert (answer is not None) is serves


def test_two_troubles_are_relaxed_class_by_class() -> None:
    robot = flow("robot", 2, rate=5.0, promise=Promise(ttft_s=0.001), rtt_s=(0.005, 0.09))
    reasons, changes = told(asked(local(60.0), robot))
    assert {one.flow for one in reasons} == {"local from here", "robot from here"}
    assert {one.class_name for one in changes} == {"local", "robot"}  # none serves both
    assert any("promise robot ttft" in one.change for one in changes if one.class_name == "robot")


def test_where_nothing_alone_helps_nothing_is_said() -> None:
    huge = flow("huge", 2, rate=1.0, promise=Promise(tpot_s=0.0001, ttft_s=0.0001),
                jurisdictions=("MARS",))  # fmt: skip
    reasons, changes = told(asked(huge))
    assert reasons[0].is_impossible and changes == []
