"""Does the planned fleet keep its promises? (The plan, simulated at the demand it was made for.)

Each flow may run only where the plan puts it, so that the plan itself is judged, not what the
governor would make of other places; within them the governor chooses. A site stands as far off as
its nearest flow is, and a flow from further away has that much less time in its promises.
Arrivals are Poisson at the planned rates; answers are drawn log-normally about their means.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.dialects.traces.row import TraceRow
from flyball.governor.policy import Policy
from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.model.request import Promise, RequestClass
from flyball.pricing.placement import Flow, Placement
from flyball.pricing.placement_report import PlacedFlow, Report
from flyball.sim.run import run
from flyball.sim.scenario import FleetShape, GenerateShape, Scenario, WorkloadShape
from flyball.units import Ratio, Seconds

BLOCK_TOKENS = 64
WARMUP_S = 20.0
SIZE_CV = 0.3
_LEAST_S = 1e-4


class Judged(Struct, frozen=True, kw_only=True):
    """One flow in the twin: calls after the warm-up and the share of them in time. A flow that need
    not be served (`is_required` false) may be refused for its price, and breaks no promise."""

    class_name: str
    origin: str
    calls: int
    in_time_ratio: Ratio
    is_required: bool = True


def keeps_promises(judged: Sequence[Judged], in_time_min: Ratio) -> bool:
    """Every flow that must be served has at least that share of its calls in time."""
    return all(one.in_time_ratio >= in_time_min for one in judged if one.is_required)


def judge(problem: Placement, plan: Report, seconds: Seconds, seed: int = 1) -> list[Judged]:
    """Simulate for so long; every flow that the plan serves, in the plan's order."""
    served = [
        (flow, placed)
        for flow, placed in zip(problem.flows, plan.flows, strict=True)
        if placed.served_per_s > 0.0
    ]
    fleet = _fleet(problem, plan, served)
    rtt_s = {site.name: site.rtt_s for site in fleet.sites}
    places = {site.name: number for number, site in enumerate(problem.sites)}
    classes = tuple(_class(flow, placed, rtt_s, places) for flow, placed in served)
    scenario = Scenario(
        version="v1",
        fleet=FleetShape(),
        workload=WorkloadShape(generate=GenerateShape(rate=1.0)),
        duration_s=seconds + WARMUP_S,
        warmup_s=WARMUP_S,
        seed=seed,
    )
    policy = Policy(classes=classes, refuse_without_ledger=False)
    rows = _rows(served, scenario.duration_s, seed)
    found = run(scenario, fleet, policy, rows, name=plan.name).report
    by_name = {one.name: one for one in found.classes}
    return [
        Judged(
            class_name=flow.klass.name,
            origin=flow.origin,
            calls=by_name[_name(flow)].calls if _name(flow) in by_name else 0,
            in_time_ratio=by_name[_name(flow)].in_time_ratio if _name(flow) in by_name else 1.0,
            is_required=flow.served_min > 0.0,
        )
        for flow, _ in served
    ]


def _name(flow: Flow) -> str:
    return f"{flow.klass.name}.{flow.origin}"


def _fleet(problem: Placement, plan: Report, served: list[tuple[Flow, PlacedFlow]]) -> Fleet:
    """The planned replicas; every site is a jurisdiction of its own."""
    nearest = {site.name: math.inf for site in problem.sites}
    for flow, placed in served:
        for share in placed.shares:
            for number, site in enumerate(problem.sites):
                if site.name == share.site:
                    nearest[site.name] = min(nearest[site.name], flow.rtt_s[number])
    sites: list[Site] = []
    for site in problem.sites:
        near = nearest[site.name] if math.isfinite(nearest[site.name]) else 0.0
        sites.append(replace(site, jurisdiction=site.name, rtt_s=near))
    profiles = {option.profile.name: option.profile for option in problem.options}
    pools = [
        Pool(
            name=f"{pool.site}.{pool.profile}",
            site=pool.site,
            models=(profiles[pool.profile].model,),
            engine="vllm",
            profile=profiles[pool.profile],
        )
        for pool in plan.pools
    ]
    endpoints = [
        Endpoint(name=f"{pool.name}.{number}", pool=pool.name, url="", metrics_url="simulated")
        for pool, planned in zip(pools, plan.pools, strict=True)
        for number in range(planned.replicas)
    ]
    return Fleet(sites=tuple(sites), pools=tuple(pools), endpoints=tuple(endpoints))


def _class(
    flow: Flow, placed: PlacedFlow, rtt_s: dict[str, Seconds], places: dict[str, int]
) -> RequestClass:
    """The flow as a class that may run where it is placed, with the way there taken off."""
    here = tuple(dict.fromkeys(share.site for share in placed.shares))
    further = max(flow.rtt_s[places[site]] - rtt_s[site] for site in here)
    promise = flow.klass.promise
    less = Promise(
        ttft_s=max(_LEAST_S, promise.ttft_s - further) if promise.ttft_s else 0.0,
        tpot_s=promise.tpot_s,
        e2e_s=max(_LEAST_S, promise.e2e_s - further) if promise.e2e_s else 0.0,
    )
    return replace(flow.klass, name=_name(flow), promise=less, jurisdictions=here)


def _rows(served: list[tuple[Flow, PlacedFlow]], seconds: Seconds, seed: int) -> list[TraceRow]:
    """The planned demand, in time order."""
    rng = np.random.default_rng(seed)
    rows: list[TraceRow] = []
    for number, (flow, placed) in enumerate(served):
        sizes = flow.sizes
        count = int(rng.poisson(placed.served_per_s * seconds))
        shared = int(sizes.input_tokens * sizes.cached_ratio) // BLOCK_TOKENS
        answers = sizes.output_tokens * _around_one(rng, count)
        for call, (at, answer) in enumerate(
            zip(rng.uniform(0, seconds, count), answers, strict=True)
        ):
            blocks = round(sizes.input_tokens) // BLOCK_TOKENS
            common, own = (number + 1) << 48, (number + 1) << 48 | (call + 1) << 16
            rows.append(
                TraceRow(
                    at_s=float(at),
                    input_tokens=max(1, round(sizes.input_tokens)),
                    output_tokens=max(1, round(float(answer))),
                    prefix_blocks=(
                        *range(common, common + shared), *range(own + shared, own + blocks)
                    ),
                    block_tokens=BLOCK_TOKENS,
                    model=flow.model,
                    class_name=_name(flow),
                )
            )  # fmt: skip
    rows.sort(key=lambda row: row.at_s)
    return rows


def _around_one(rng: np.random.Generator, count: int) -> np.ndarray:
    """Log-normal of mean 1 and coefficient of variation `SIZE_CV`."""
    spread = math.sqrt(math.log1p(SIZE_CV**2))
    return rng.lognormal(-0.5 * spread**2, spread, count)
