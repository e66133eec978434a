"""Does the planned fleet keep its promises in the twin, and does one that is too small not?"""

import pytest
from msgspec.structs import replace

from flyball.cli.plan_twin import Judged, judge, keeps_promises
from flyball.model.fleet import Site
from flyball.model.request import Promise
from flyball.pricing.placement import Asset
from flyball.pricing.placement_report import report
from support.placements import flow, placement

SITES = [
    Site(name="near", jurisdiction="EU", usd_per_kwh=0.2),
    Site(name="far", jurisdiction="US", usd_per_kwh=0.05),
]
ASSETS = [
    Asset(site_index=0, accelerator="A100-SXM-80GB", owned=2, usd_per_hour=4.2),
    Asset(site_index=1, accelerator="H100-SXM", rent_max=4, usd_per_hour=6.0),
]
FLOWS = [
    flow(
        "chat",
        2,
        rate=12.0,
        promise=Promise(ttft_s=0.6, tpot_s=0.05),
        rate_sd_per_s=1.2,
        rtt_s=(0.01, 0.09),
    ),
    flow("local", 2, rate=6.0, jurisdictions=("EU",), rtt_s=(0.02, 0.1), rate_sd_per_s=0.6),
]
PROBLEM = placement(FLOWS, ASSETS, SITES)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_plan_keeps_its_promises_in_the_twin(seed: int) -> None:
    plan = report(PROBLEM)
    assert plan.serves_all and {pool.site for pool in plan.pools} == {"near", "far"}
    judged = judge(PROBLEM, plan, 90.0, seed)
    assert [(one.class_name, one.origin) for one in judged] == [("chat", "here"), ("local", "here")]
    for one, asked in zip(judged, FLOWS, strict=True):
        assert one.calls == pytest.approx(90 * asked.rate_per_s, rel=0.2)
        assert one.in_time_ratio >= PROBLEM.in_time, f"seed {seed}: {judged}"


def test_more_than_was_planned_for_breaks_them() -> None:
    """So that the test above can fail: the same replicas under twice the demand."""
    plan = report(PROBLEM)
    twice = tuple(replace(placed, served_per_s=2.5 * placed.served_per_s) for placed in plan.flows)
    judged = judge(PROBLEM, replace(plan, flows=twice), 60.0)
    assert min(one.in_time_ratio for one in judged) < 0.9


def test_what_the_plan_leaves_out_is_not_asked_of_the_twin() -> None:
    spare = flow("spare", 2, rate=5.0, value_usd=0.0, served_min=0.0)
    problem = replace(PROBLEM, flows=(*FLOWS, spare))
    judged = judge(problem, report(problem), 5.0)
    assert [one.class_name for one in judged] == ["chat", "local"]


def test_what_need_not_be_served_breaks_no_promise() -> None:
    kept = Judged(class_name="a", origin="b", calls=9, in_time_ratio=0.95)
    late = replace(kept, in_time_ratio=0.94)
    assert keeps_promises([kept], 0.95) and not keeps_promises([kept, late], 0.95)
    assert keeps_promises([kept, replace(late, is_required=False)], 0.95)
    paying = flow("spare", 2, rate=1.0, served_min=0.0)
    problem = replace(PROBLEM, flows=(*FLOWS, paying))
    judged = judge(problem, report(problem), 5.0)
    assert [one.is_required for one in judged] == [True, True, False]


def test_cached_prefixes_are_found_in_the_twin() -> None:
    """A plan that counts on the cache is judged with prompts that share as much."""
    chat = flow("chat", 2, rate=10.0, sizes=FLOWS[0].sizes._replace(cached_ratio=0.6))
    problem = replace(PROBLEM, flows=(chat,))
    plan = report(problem)
    (one,) = judge(problem, plan, 60.0)
    assert one.in_time_ratio >= 0.95
