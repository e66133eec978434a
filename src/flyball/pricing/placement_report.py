"""What does a placement come to: what runs where, at which price, and what is scarce?

The counts are those of the best placement in whole replicas; all prices are those of the fluid one
(`placement_prices`), whose profit bounds what any placement can reach.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.pricing.arrays import Floats
from flyball.pricing.placement import Flow, Placement, check
from flyball.pricing.placement_fit import Fit
from flyball.pricing.placement_highs import Answer, least_unmet, whole
from flyball.pricing.placement_prices import (
    Base,
    Change,
    MillisecondPrice,
    Move,
    RulePrice,
    base,
    changes,
    cost_usd_per_hour,
    flow_prices_usd,
    milliseconds,
    misplaced,
    next_units,
    rules,
)
from flyball.pricing.placement_program import (
    Program,
    idle_usd_per_hour,
    program,
    shares_usd_per_hour,
    site_of_option,
    uses,
)
from flyball.pricing.placement_relax import Blocked, Relaxation, blocked, relaxations
from flyball.units import MS_PER_S, Ratio, Seconds, Usd

GAP_RATIO = 0.005
"""Whole replicas are searched until within this share of the fluid plan's cost."""
_WATTS_PER_MW = 1e6
_SHOWN_RATE = 1e-6


class PlacedPool(Struct, frozen=True, kw_only=True):
    """Replicas of one profile at one site. `load` = share of their time that is planned, with the
    margin for demand's spread; `kw` = peak power by the same."""

    site: str
    profile: str
    accelerator: str
    replicas: int
    accelerators: int
    load: Ratio
    kw: float
    energy_usd_per_hour: Usd


class Share(Struct, frozen=True, kw_only=True):
    """Where a part of a flow runs, at which mean batch, and the times that `in_time` of it meet."""

    site: str
    profile: str
    rate_per_s: float
    batch: float
    ttft_ms: float
    tpot_ms: float
    e2e_ms: float


class PlacedFlow(Struct, frozen=True, kw_only=True):
    """One class from one origin. `price_usd` = what one more request costs at the margin."""

    class_name: str
    origin: str
    rate_per_s: float
    served_per_s: float
    price_usd: Usd | None
    shares: tuple[Share, ...]


class AssetUse(Struct, frozen=True, kw_only=True):
    """Accelerators of one kind at one site; `price_usd_per_hour` = worth of one more."""

    site: str
    accelerator: str
    owned: int
    used: int
    rented: int
    rent_usd_per_hour: Usd
    price_usd_per_hour: Usd | None


class SiteUse(Struct, frozen=True, kw_only=True):
    """Power of one site at planned peak; `usd_per_mw_hour` = worth of one MW more for an hour."""

    site: str
    jurisdiction: str
    kw: float
    kw_max: float | None
    usd_per_mw_hour: Usd | None


class Report(Struct, frozen=True, kw_only=True):
    """A plan. `gap_usd_per_hour` = how much more profit any placement can make, at most. Where
    `serves_all` is false, `blocked` and `relaxations` say why and what would help."""

    name: str
    serves_all: bool
    in_time: Ratio
    demand_sds: float
    notes: tuple[str, ...]
    value_usd_per_hour: Usd
    energy_usd_per_hour: Usd
    rent_usd_per_hour: Usd
    profit_usd_per_hour: Usd
    bound_usd_per_hour: Usd
    gap_usd_per_hour: Usd
    pools: tuple[PlacedPool, ...]
    flows: tuple[PlacedFlow, ...]
    assets: tuple[AssetUse, ...]
    sites: tuple[SiteUse, ...]
    milliseconds: tuple[MillisecondPrice, ...] = ()
    rules: tuple[RulePrice, ...] = ()
    next_units: tuple[Move, ...] = ()
    misplaced: tuple[Move, ...] = ()
    changes: tuple[Change, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()


def report(
    problem: Placement,
    name: str = "",
    notes: tuple[str, ...] = (),
    time_max_s: Seconds = 20.0,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Place everything, price it, and vary it. `tell` hears what is under way.

    Raises ValueError for a problem that is not well formed, or if no whole placement was found.
    """
    check(problem)
    tell(f"{len(problem.flows)} flows, {len(problem.options)} options: what fits where")
    one = program(problem)
    tell("the fluid plan and its prices")
    fluid = base(one)
    if fluid is None:
        return _short(one, name, notes, time_max_s, tell)
    tell("whole replicas")
    gap = GAP_RATIO * cost_usd_per_hour(one, fluid.answer)
    answer = whole(one, gap, time_max_s)
    if not answer.is_whole:
        notes = (*notes, "replicas in fractions would serve all, whole ones do not")
    tell("the price of each promise and rule")
    return _report(
        one, answer, fluid, name, notes,
        milliseconds=tuple(milliseconds(fluid)), rules=tuple(rules(fluid)),
        next_units=tuple(next_units(fluid)), misplaced=tuple(misplaced(fluid)),
        changes=tuple(changes(fluid)), blocked=tuple(blocked(one, answer.unmet_per_s)),
    )  # fmt: skip


def _short(
    one: Program,
    name: str,
    notes: tuple[str, ...],
    time_max_s: Seconds,
    tell: Callable[[str], None],
) -> Report:
    """A plan that cannot serve all that it must: the best part, why, and what would help."""
    tell("not all can be served: what relaxes it")
    unmet = least_unmet(one)
    return _report(
        one, whole(one, 0.0, time_max_s, GAP_RATIO), None, name, notes,
        blocked=tuple(blocked(one, unmet)), relaxations=tuple(relaxations(one, unmet)),
    )  # fmt: skip


def _report(
    one: Program,
    answer: Answer,
    fluid: Base | None,
    name: str,
    notes: tuple[str, ...],
    **more: tuple[Struct, ...],
) -> Report:
    columns = np.concatenate([answer.rates, answer.replicas, answer.rented])
    value, energy, rent = shares_usd_per_hour(one, columns)
    bound = fluid.objective if fluid else answer.bound_usd_per_hour
    bound = min(bound, max(answer.bound_usd_per_hour, answer.objective_usd_per_hour))
    plain = Report(
        name=name,
        serves_all=answer.is_whole,
        in_time=one.problem.in_time,
        demand_sds=one.problem.z,
        notes=notes,
        value_usd_per_hour=value,
        energy_usd_per_hour=energy,
        rent_usd_per_hour=rent,
        profit_usd_per_hour=value - energy - rent,
        bound_usd_per_hour=bound,
        gap_usd_per_hour=max(0.0, bound - (value - energy - rent)),
        pools=_pools(one, answer),
        flows=_flows(one, answer, fluid),
        assets=_assets(one, answer, fluid),
        sites=_sites(one, answer, fluid),
    )
    return replace(plain, **more)


def _kw(one: Program, answer: Answer) -> Floats:
    """Peak power of every option (O,)."""
    used = np.zeros(len(answer.replicas))
    np.add.at(used, one.pairs.option, uses(one).kw * answer.rates)
    idle = np.array([option.profile.power.idle_watts for option in one.problem.options], float)
    return used + idle * answer.replicas / 1e3


def _pools(one: Program, answer: Answer) -> tuple[PlacedPool, ...]:
    problem, used = one.problem, uses(one)
    gpu, joules = np.zeros(len(answer.replicas)), np.zeros(len(answer.replicas))
    np.add.at(gpu, one.pairs.option, used.gpu_s * answer.rates)
    np.add.at(joules, one.pairs.option, one.pairs.figures[:, 1] * answer.rates)
    sites, kw = site_of_option(problem), _kw(one, answer)
    at: list[int] = sites.tolist()
    energy = idle_usd_per_hour(one) * answer.replicas + 3600.0 * joules * one.money.joule[sites]
    return tuple(
        PlacedPool(
            site=problem.sites[at[place]].name,
            profile=option.profile.name,
            accelerator=option.profile.accelerator,
            replicas=int(answer.replicas[place]),
            accelerators=int(answer.replicas[place]) * option.profile.accelerators,
            load=float(gpu[place] / answer.replicas[place]),
            kw=float(kw[place]),
            energy_usd_per_hour=float(energy[place]),
        )
        for place, option in enumerate(problem.options)
        if answer.replicas[place] > 0
    )


def _flows(one: Program, answer: Answer, fluid: Base | None) -> tuple[PlacedFlow, ...]:
    prices = flow_prices_usd(fluid) if fluid else None
    found: list[PlacedFlow] = []
    for place, flow in enumerate(one.problem.flows):
        pairs = [pair for pair in one.pairs.of(place) if answer.rates[pair] > _SHOWN_RATE]
        found.append(
            PlacedFlow(
                class_name=flow.klass.name,
                origin=flow.origin,
                rate_per_s=flow.rate_per_s,
                served_per_s=float(answer.rates[pairs].sum()),
                price_usd=None if prices is None else float(prices[place]),
                shares=tuple(_share(one, flow, pair, answer) for pair in pairs),
            )
        )
    return tuple(found)


def _share(one: Program, flow: Flow, pair: int, answer: Answer) -> Share:
    found = one.pairs.found[pair]
    assert isinstance(found, Fit), flow.name
    option = one.problem.options[int(one.pairs.option[pair])]
    site = one.problem.assets[option.asset_index].site_index
    return Share(
        site=one.problem.sites[site].name,
        profile=option.profile.name,
        rate_per_s=float(answer.rates[pair]),
        batch=found.batch,
        ttft_ms=MS_PER_S * found.times.ttft_s,
        tpot_ms=MS_PER_S * found.times.tpot_s,
        e2e_ms=MS_PER_S * found.times.e2e_s,
    )


def _assets(one: Program, answer: Answer, fluid: Base | None) -> tuple[AssetUse, ...]:
    problem = one.problem
    used = np.zeros(len(problem.assets))
    for option, replicas in zip(problem.options, answer.replicas, strict=True):
        used[option.asset_index] += option.profile.accelerators * replicas
    return tuple(
        AssetUse(
            site=problem.sites[asset.site_index].name,
            accelerator=asset.accelerator,
            owned=asset.owned,
            used=int(used[place]),
            rented=max(0, int(used[place]) - asset.owned),
            rent_usd_per_hour=asset.usd_per_hour,
            price_usd_per_hour=float(fluid.duals.asset[place]) if fluid else None,
        )
        for place, asset in enumerate(problem.assets)
        if asset.owned or used[place]
    )


def _sites(one: Program, answer: Answer, fluid: Base | None) -> tuple[SiteUse, ...]:
    problem = one.problem
    kw = np.zeros(len(problem.sites))
    np.add.at(kw, site_of_option(problem), _kw(one, answer))
    return tuple(
        SiteUse(
            site=site.name,
            jurisdiction=site.jurisdiction,
            kw=float(kw[place]),
            kw_max=site.power_watts_max / 1e3 if np.isfinite(site.power_watts_max) else None,
            usd_per_mw_hour=_WATTS_PER_MW * float(fluid.duals.watt[place]) if fluid else None,
        )
        for place, site in enumerate(problem.sites)
    )
