"""What is a millisecond, a megawatt, a jurisdiction rule and each accelerator worth to a placement?

Prices of accelerators and watts are duals of the fluid placement. What changes which pairs are
possible (a promise, a rule) is solved again, as is all that is recommended: one more accelerator,
one moved, another demand. All figures are fluid, so that they are comparable: whole replicas would
hide a small change until it makes a replica.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.model.request import Promise
from flyball.pricing.arrays import Floats
from flyball.pricing.placement import Flow
from flyball.pricing.placement_highs import Answer, Duals, Fluid, least_unmet
from flyball.pricing.placement_program import Limits, Program, shares_usd_per_hour, with_flows
from flyball.units import MS_PER_S, Ratio, Seconds, Usd

BOUNDS = ("ttft", "tpot", "e2e")
_STEP_RATIO = 0.01
_STEP_S_MIN = {"ttft": 1e-3, "tpot": 1e-4, "e2e": 1e-3}
_NEXT_MAX = 8
_ZERO_USD = 1e-6
DEMANDS = (0.8, 0.9, 1.1, 1.2)
RENTS = (0.8, 1.2)
TARIFFS = (0.8, 1.2)


class MillisecondPrice(Struct, frozen=True, kw_only=True):
    """One promise of one class. `saved` = USD per hour for each millisecond more that is allowed;
    `costs` = for each one less (None: it cannot be kept at all)."""

    class_name: str
    bound: str
    promised_s: Seconds
    saved_usd_per_hour: Usd
    costs_usd_per_hour: Usd | None


class RulePrice(Struct, frozen=True, kw_only=True):
    """What the jurisdiction rule of a class costs, USD per hour; `of_each` = if one more
    jurisdiction were allowed, greatest first."""

    class_name: str
    jurisdictions: tuple[str, ...]
    saved_usd_per_hour: Usd
    of_each: tuple[tuple[str, Usd], ...]


class Move(Struct, frozen=True, kw_only=True):
    """Gain of one accelerator more at a site, for nothing, or of one moved from `from_site`.

    `list_usd_per_hour` = what one costs there, for comparison."""

    site: str
    accelerator: str
    gain_usd_per_hour: Usd
    list_usd_per_hour: Usd
    from_site: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """The same plan if demand, rents or tariffs were `ratio` times as large. `unmet_ratio` = share
    of what must be served that cannot be; then there are no other figures."""

    of: str
    ratio: Ratio
    unmet_ratio: Ratio
    profit_usd_per_hour: Usd = 0.0
    cost_usd_per_hour: Usd = 0.0


@dataclass(frozen=True, slots=True)
class Base:
    """A fluid placement that serves all, with its prices; `solver` starts from its basis."""

    program: Program
    solver: Fluid
    answer: Answer
    duals: Duals

    def gain(self, other: Program) -> Usd | None:
        """USD per hour by which the best of `other` is better; None = it cannot serve all."""
        mine = self.program
        is_same_elsewhere = other.limits is mine.limits and other.money is mine.money
        if is_same_elsewhere and np.array_equal(other.pairs.figures, mine.pairs.figures):
            return 0.0
        found = self.solver.solve(other)
        return None if found is None else found.objective_usd_per_hour - self.objective

    @property
    def objective(self) -> Usd:
        """Value less energy and rent, USD per hour."""
        return self.answer.objective_usd_per_hour


def base(program: Program) -> Base | None:
    """The fluid placement; None if what must be served cannot be."""
    solver = Fluid()
    answer = solver.solve(program)
    if answer is None or answer.duals is None:
        return None
    return Base(program, solver, answer, answer.duals)


def cost_usd_per_hour(program: Program, answer: Answer) -> Usd:
    """Energy and rent of an answer."""
    columns = np.concatenate([answer.rates, answer.replicas, answer.rented])
    _, energy, rent = shares_usd_per_hour(program, columns)
    return energy + rent


def flow_prices_usd(one: Base) -> Floats:
    """What one more request of each flow (F,) costs at the margin: its value less the demand's
    dual; at most its value where some of it is left out for its price."""
    value = np.array([flow.klass.value_usd for flow in one.program.problem.flows], float)
    return value - one.duals.flow / 3600.0


def by_class(program: Program) -> dict[str, list[int]]:
    """Places of the flows of every class."""
    found: dict[str, list[int]] = {}
    for place, flow in enumerate(program.problem.flows):
        found.setdefault(flow.klass.name, []).append(place)
    return found


def with_class(program: Program, places: list[int], change: Callable[[Flow], Flow]) -> Program:
    """The same program with those flows changed."""
    return with_flows(program, [(at, change(program.problem.flows[at])) for at in places])


def with_promise(promise: Promise) -> Callable[[Flow], Flow]:
    """A flow with another promise."""
    return lambda flow: replace(flow, klass=replace(flow.klass, promise=promise))


def with_jurisdictions(*names: str) -> Callable[[Flow], Flow]:
    """A flow that may run in these only; () = anywhere."""
    return lambda flow: replace(flow, klass=replace(flow.klass, jurisdictions=names))


def milliseconds(one: Base) -> Iterator[MillisecondPrice]:
    """Of every promise of every class with demand: a step of 1 % of it, at least 1 ms (0.1 ms of
    time per token), each way, solved again."""
    for name, places in by_class(one.program).items():
        promise = one.program.problem.flows[places[0]].klass.promise
        for bound in BOUNDS:
            promised: Seconds = getattr(promise, f"{bound}_s")
            if not promised:
                continue
            step = max(_STEP_S_MIN[bound], _STEP_RATIO * promised)
            gains: list[Usd | None] = []
            for other in (promised + step, promised - step):
                changed = replace(promise, **{f"{bound}_s": other})
                relaxed = with_class(one.program, places, with_promise(changed))
                gains.append(one.gain(relaxed) if other > 0 else None)
            more, less = gains
            yield MillisecondPrice(
                class_name=name,
                bound=bound,
                promised_s=promised,
                saved_usd_per_hour=max(0.0, more or 0.0) / (step * MS_PER_S),
                costs_usd_per_hour=None if less is None else max(0.0, -less) / (step * MS_PER_S),
            )


def rules(one: Base) -> Iterator[RulePrice]:
    """Of every class that may not run everywhere: all lifted, and if that gains, each alone."""
    everywhere = sorted({site.jurisdiction for site in one.program.problem.sites})
    for name, places in by_class(one.program).items():
        allowed = one.program.problem.flows[places[0]].klass.jurisdictions
        others = [where for where in everywhere if where not in allowed]
        if not allowed or not others:
            continue
        saved = max(0.0, one.gain(with_class(one.program, places, with_jurisdictions())) or 0.0)
        each: list[tuple[str, Usd]] = []
        for where in others if saved > _ZERO_USD else []:
            widened = with_class(one.program, places, with_jurisdictions(*allowed, where))
            each.append((where, max(0.0, one.gain(widened) or 0.0)))
        each.sort(key=lambda pair: -pair[1])
        yield RulePrice(
            class_name=name, jurisdictions=allowed, saved_usd_per_hour=saved, of_each=tuple(each)
        )


def _with_owned(program: Program, change: dict[int, float]) -> Program:
    owned = program.limits.owned.copy()
    for asset, more in change.items():
        owned[asset] += more
    return _with_limits(program, program.limits._replace(owned=owned))


def _with_limits(program: Program, limits: Limits) -> Program:
    return Program(program.problem, program.pairs, limits, program.money)


def next_units(one: Base) -> list[Move]:
    """Where one more accelerator, for nothing, earns most: the best by price, solved again."""
    best = np.argsort(-one.duals.asset, kind="stable")[:_NEXT_MAX]
    found = [
        _move(one, int(asset), one.gain(_with_owned(one.program, {int(asset): 1.0})))
        for asset in best
        if one.duals.asset[asset] > _ZERO_USD
    ]
    return sorted(found, key=lambda move: -move.gain_usd_per_hour)


def misplaced(one: Base) -> list[Move]:
    """Owned accelerators that are priced at zero, with the site where one of them earns most (the
    same site and no gain, if nowhere)."""
    found: list[Move] = []
    assets = one.program.problem.assets
    for place, asset in enumerate(assets):
        if not asset.owned or one.duals.asset[place] > _ZERO_USD:
            continue
        alike = [n for n, other in enumerate(assets) if other.accelerator == asset.accelerator]
        to = max(alike, key=lambda n: float(one.duals.asset[n]))
        gain = one.gain(_with_owned(one.program, {place: -1.0, to: 1.0})) if to != place else 0.0
        if gain is None or gain <= _ZERO_USD:
            to, gain = place, 0.0
        found.append(_move(one, to, gain, one.program.problem.sites[asset.site_index].name))
    return sorted(found, key=lambda move: -move.gain_usd_per_hour)


def _move(one: Base, asset: int, gain: Usd | None, from_site: str = "") -> Move:
    problem = one.program.problem
    return Move(
        site=problem.sites[problem.assets[asset].site_index].name,
        accelerator=problem.assets[asset].accelerator,
        gain_usd_per_hour=max(0.0, gain or 0.0),
        list_usd_per_hour=problem.assets[asset].usd_per_hour,
        from_site=from_site,
    )


def changes(one: Base) -> Iterator[Change]:
    """Demand, rents and tariffs higher and lower."""
    program, limits, money = one.program, one.program.limits, one.program.money
    for ratio in DEMANDS:
        scaled = limits._replace(rate=limits.rate * ratio, served_min=limits.served_min * ratio)
        yield _change(one, "demand", ratio, _with_limits(program, scaled))
    for ratio in RENTS:
        dearer = money._replace(rent=money.rent * ratio)
        changed = Program(program.problem, program.pairs, limits, dearer)
        yield _change(one, "rents", ratio, changed)
    for ratio in TARIFFS:
        dearer = money._replace(joule=money.joule * ratio)
        changed = Program(program.problem, program.pairs, limits, dearer)
        yield _change(one, "tariffs", ratio, changed)


def _change(one: Base, of: str, ratio: Ratio, changed: Program) -> Change:
    answer = one.solver.solve(changed)
    if answer is None:
        must = max(1e-12, float(changed.limits.served_min.sum()))
        unmet = float(least_unmet(changed).sum()) / must
        return Change(of=of, ratio=ratio, unmet_ratio=unmet)
    return Change(
        of=of,
        ratio=ratio,
        unmet_ratio=0.0,
        profit_usd_per_hour=answer.objective_usd_per_hour,
        cost_usd_per_hour=cost_usd_per_hour(changed, answer),
    )
