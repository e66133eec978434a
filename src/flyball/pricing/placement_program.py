"""How does a placement read as a linear program?

Columns: x of every pair of flow and option whose models agree, then n of every option, then r of
every asset. A pair that a rule keeps apart stays as a column with upper bound 0, so that the
program keeps its shape when a rule is relaxed and the next solve can begin from the last basis.
Rows: demand of every flow, GPU time of every option, accelerators of every asset, watts (in kW) of
every site. Money is in USD per hour.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace as with_fields
from numpy.typing import NDArray

from flyball.pricing.arrays import Floats, Ints
from flyball.pricing.placement import Flow, Placement
from flyball.pricing.placement_fit import Fit, Misfit, fit
from flyball.units import SECONDS_PER_HOUR, Usd, usd_per_joule

WATTS_PER_ROW_UNIT = 1e3


@dataclass(frozen=True, slots=True)
class Pairs:
    """Each flow at each option of its model: arrays of shape (n,). `found[i]` = fit or misfit, and
    (gpu_s, joules, 1) of a fit, zeros of a misfit, stand in `figures` (n, 3)."""

    flow: Ints
    option: Ints
    found: list[Fit | Misfit]
    figures: Floats

    def of(self, flow: int) -> list[int]:
        """Places of one flow's pairs."""
        return np.flatnonzero(self.flow == flow).tolist()


class Limits(NamedTuple):
    """Right-hand sides that may be relaxed: rates (F,), least served (F,), owned (A,), most rented
    (A,), watts (S,)."""

    rate: Floats
    served_min: Floats
    owned: Floats
    rent_max: Floats
    watts: Floats


class Money(NamedTuple):
    """USD: rent of one accelerator for an hour (A,), a joule at each site (S,)."""

    rent: Floats
    joule: Floats


@dataclass(frozen=True, slots=True)
class Program:
    """Maximise cost . columns, row_lower <= A columns <= row_upper; A in compressed columns."""

    problem: Placement
    pairs: Pairs
    limits: Limits
    money: Money

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """Pairs, options, assets, flows, sites."""
        p = self.problem
        return (len(self.pairs.flow), len(p.options), len(p.assets), len(p.flows), len(p.sites))


class Matrix(NamedTuple):
    """What a solver takes, minimising."""

    cost: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    starts: NDArray[np.int32]
    rows: NDArray[np.int32]
    coefficients: Floats


def program(problem: Placement) -> Program:
    """The program of a placement (checked before: `placement.check`)."""
    flows: list[int] = []
    options: list[int] = []
    found: list[Fit | Misfit] = []
    for number, flow in enumerate(problem.flows):
        for place, option in enumerate(problem.options):
            if option.profile.model == flow.model:
                flows.append(number)
                options.append(place)
                found.append(_fit(problem, flow, place))
    figures = np.array([_figures(each) for each in found], float).reshape(len(found), 3)
    pairs = Pairs(np.array(flows, np.intp), np.array(options, np.intp), found, figures)
    return Program(problem, pairs, limits(problem), money(problem))


def limits(problem: Placement) -> Limits:
    """The right-hand sides as the problem states them."""
    rate = np.array([flow.rate_per_s for flow in problem.flows], float)
    return Limits(
        rate=rate,
        served_min=rate * np.array([flow.served_min for flow in problem.flows], float),
        owned=np.array([asset.owned for asset in problem.assets], float),
        rent_max=np.array([asset.rent_max for asset in problem.assets], float),
        watts=np.array([site.power_watts_max for site in problem.sites], float),
    )


def money(problem: Placement) -> Money:
    """Rents and tariffs as the problem states them."""
    return Money(
        rent=np.array([asset.usd_per_hour for asset in problem.assets], float),
        joule=np.array([usd_per_joule(site.usd_per_kwh) for site in problem.sites], float),
    )


def with_flows(base: Program, changed: Iterable[tuple[int, Flow]]) -> Program:
    """The same program with other flows in these places (same model): only they are fitted anew."""
    flows, found = list(base.problem.flows), list(base.pairs.found)
    figures = base.pairs.figures.copy()
    for number, flow in changed:
        flows[number] = flow
        for place in base.pairs.of(number):
            found[place] = _fit(base.problem, flow, int(base.pairs.option[place]))
            figures[place] = _figures(found[place])
    pairs = replace(base.pairs, found=found, figures=figures)
    return replace(base, problem=with_fields(base.problem, flows=tuple(flows)), pairs=pairs)


def _figures(found: Fit | Misfit) -> tuple[float, float, float]:
    return (found.gpu_s, found.joules, 1.0) if isinstance(found, Fit) else (0.0, 0.0, 0.0)


def _fit(problem: Placement, flow: Flow, place: int) -> Fit | Misfit:
    option = problem.options[place]
    site = problem.assets[option.asset_index].site_index
    return fit(flow, option.profile, problem.sites[site], flow.rtt_s[site], problem.in_time)


class Uses(NamedTuple):
    """Of every pair: value and energy in the mean (USD per hour at one request per second), GPU
    seconds and kW with the margin for demand's spread, and whether it is possible at all."""

    worth: Floats
    gpu_s: Floats
    kw: Floats
    possible: NDArray[np.bool_]


def uses(one: Program) -> Uses:
    """The pairs as columns of numbers."""
    problem, pairs = one.problem, one.pairs
    gpu_s, joules, possible = pairs.figures.T
    value = np.array([flow.klass.value_usd for flow in problem.flows], float)
    spread = np.array(
        [1.0 + problem.z * f.rate_sd_per_s / f.rate_per_s if f.rate_per_s else 1.0
         for f in problem.flows]
    )  # fmt: skip
    site = site_of_option(problem)[pairs.option]
    margin = spread[pairs.flow]
    return Uses(
        worth=SECONDS_PER_HOUR * (value[pairs.flow] - joules * one.money.joule[site]),
        gpu_s=gpu_s * margin,
        kw=joules * margin / WATTS_PER_ROW_UNIT,
        possible=possible > 0,
    )


def site_of_option(problem: Placement) -> Ints:
    """The site of every option (O,)."""
    asset = [option.asset_index for option in problem.options]
    site = np.array([one.site_index for one in problem.assets], np.intp)
    return site[np.array(asset, np.intp)]


def idle_usd_per_hour(one: Program) -> Floats:
    """Energy of a replica that only stands by (O,)."""
    idle = np.array([option.profile.power.idle_watts for option in one.problem.options], float)
    return SECONDS_PER_HOUR * idle * one.money.joule[site_of_option(one.problem)]


def matrix(one: Program) -> Matrix:
    """The whole program as arrays, minimising."""
    problem, pairs, limit = one.problem, one.pairs, one.limits
    pair_count, options, assets, flows, sites = one.sizes
    used, site = uses(one), site_of_option(problem)
    asset = np.array([option.asset_index for option in problem.options], np.intp)
    chips = np.array([option.profile.accelerators for option in problem.options], float)
    idle = np.array([option.profile.power.idle_watts for option in problem.options], float)
    at_gpu, at_asset, at_watt = flows, flows + options, flows + options + assets
    x_rows = np.stack([pairs.flow, at_gpu + pairs.option, at_watt + site[pairs.option]], axis=1)
    x_values = np.stack([np.ones(pair_count), used.gpu_s, used.kw], axis=1)
    n_rows = np.stack([at_gpu + np.arange(options), at_asset + asset, at_watt + site], axis=1)
    n_values = np.stack([-np.ones(options), chips, idle / WATTS_PER_ROW_UNIT], axis=1)
    counts = np.concatenate([np.full(pair_count + options, 3), np.ones(assets, int)])
    return Matrix(
        cost=np.concatenate([-used.worth, idle_usd_per_hour(one), one.money.rent]),
        upper=np.concatenate(
            [np.where(used.possible, np.inf, 0.0), np.full(options, np.inf), limit.rent_max]
        ),
        row_lower=np.concatenate([limit.served_min, np.full(options + assets + sites, -np.inf)]),
        row_upper=np.concatenate(
            [limit.rate, np.zeros(options), limit.owned, limit.watts / WATTS_PER_ROW_UNIT]
        ),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        rows=np.concatenate(
            [x_rows.ravel(), n_rows.ravel(), at_asset + np.arange(assets)]
        ).astype(np.int32),
        coefficients=np.concatenate([x_values.ravel(), n_values.ravel(), -np.ones(assets)]),
    )  # fmt: skip


def shares_usd_per_hour(one: Program, columns: Floats) -> tuple[Usd, Usd, Usd]:
    """Value, energy and rent of a solution."""
    pair_count, options, _, _, _ = one.sizes
    x, n, r = np.split(columns, [pair_count, pair_count + options])
    value = np.array([flow.klass.value_usd for flow in one.problem.flows], float)
    earned = SECONDS_PER_HOUR * float((value[one.pairs.flow] * x).sum())
    energy = earned - float((uses(one).worth * x).sum()) + float((idle_usd_per_hour(one) * n).sum())
    return earned, energy, float((one.money.rent * r).sum())
