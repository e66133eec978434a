"""Which placement is best, in fluid replicas with prices and in whole ones with a gap? (HiGHS)

The linear relaxation gives the shadow prices; its bound also tells how far whole replicas can be
from the best. Demand that must be served and cannot be is found by a first phase that minimises
what is left out; the second phase then maximises value over what can be served.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from flyball.pricing.arrays import Floats
from flyball.pricing.placement_program import WATTS_PER_ROW_UNIT, Matrix, Program, matrix
from flyball.units import Ratio, Seconds, Usd

_OPTIMAL = highspy.HighsModelStatus.kOptimal
_PHASE_ONE_S = 60.0
_UNMET_MIN = 1e-7  # of the demand: less is a solver's tolerance


class Duals(NamedTuple):
    """Shadow prices, all >= 0 but `flow`: what one more request per second of each flow (F,) adds
    to the objective (< 0: it costs more than it is worth, and must be served), what one more
    accelerator at each asset (A,) and one more watt at each site (S,) is worth; USD per hour.
    `rent` (A,) = worth of one more that may be rented."""

    flow: Floats
    gpu: Floats
    asset: Floats
    watt: Floats
    rent: Floats


@dataclass(frozen=True, slots=True)
class Answer:
    """Rates (pairs,), replicas (O,), rented accelerators (A,); `unmet_per_s` (F,) is zero
    where all that must be served is."""

    rates: Floats
    replicas: Floats
    rented: Floats
    unmet_per_s: Floats
    objective_usd_per_hour: Usd
    bound_usd_per_hour: Usd
    duals: Duals | None = None
    status: str = "optimal"

    @property
    def is_whole(self) -> bool:
        """Whether all that must be served is."""
        return not self.unmet_per_s.any()


class Fluid:
    """Solves linear relaxations one after another, each from the last basis. Not thread-safe."""

    def __init__(self) -> None:
        self._highs = _highs()
        self._basis: Any = None
        self._shape = (0, 0)

    def solve(self, one: Program) -> Answer | None:
        """The best fluid placement with its prices; None if what must be served cannot be."""
        built = matrix(one)
        shape = (len(built.cost), len(built.row_upper))
        _pass(self._highs, built)
        if self._basis is not None and shape == self._shape:
            self._highs.setBasis(self._basis)
        self._highs.run()
        if self._highs.getModelStatus() != _OPTIMAL and self._basis is not None:
            _pass(self._highs, built)  # from nothing: a basis can mislead
            self._highs.run()
        if self._highs.getModelStatus() != _OPTIMAL:
            return None
        self._basis, self._shape = self._highs.getBasis(), shape
        return _answer(one, self._highs, built, with_duals=True)


def least_unmet(one: Program) -> Floats:
    """Phase one, fluid: of what must be served, the least that is left out, per flow (F,)."""
    return _phase_one(one, is_whole=False, time_max_s=_PHASE_ONE_S)


def least_more(one: Program, row: int) -> float | None:
    """By how much, at least, the limit of that row must rise for all that must be served to be:
    accelerators, or kW; None if that limit alone does not help. Fluid."""
    found = _eased(one, np.array([row]), -1.0, np.array([np.inf]), False, _PHASE_ONE_S)
    return None if found is None else float(found[0])


def asset_row(one: Program, asset: int) -> int:
    """The row of an asset's accelerators."""
    _, options, _, flows, _ = one.sizes
    return flows + options + asset


def site_row(one: Program, site: int) -> int:
    """The row of a site's kW."""
    return asset_row(one, one.sizes[2]) + site


def whole(
    one: Program, gap_usd_per_hour: Usd, time_max_s: Seconds, gap_ratio: Ratio = 0.0
) -> Answer:
    """The best placement in whole replicas found within the gap or the time.

    Where whole replicas leave out some of what must be served, `unmet_per_s` says how much, and
    the rest is the best that serves all but that. Raises ValueError if none was found in time.
    """
    answer = _whole(one, gap_usd_per_hour, time_max_s, gap_ratio)
    if answer is not None:
        return answer
    unmet = _phase_one(one, is_whole=True, time_max_s=time_max_s)
    least = np.maximum(0.0, one.limits.served_min - unmet * (1 + 1e-9) - 1e-9)
    eased = Program(one.problem, one.pairs, one.limits._replace(served_min=least), one.money)
    answer = _whole(eased, gap_usd_per_hour, time_max_s, gap_ratio)
    if answer is None:
        raise ValueError(f"no placement was found within {time_max_s:g} s: give it more time")
    return Answer(
        answer.rates, answer.replicas, answer.rented, unmet,
        answer.objective_usd_per_hour, answer.bound_usd_per_hour, status=answer.status,
    )  # fmt: skip


def _whole(one: Program, gap: Usd, time_max_s: Seconds, ratio: Ratio) -> Answer | None:
    highs, built = _highs(), matrix(one)
    _pass(highs, built, is_whole=_replica_columns(one))
    highs.setOptionValue("mip_abs_gap", max(1e-9, gap))
    highs.setOptionValue("mip_rel_gap", ratio)
    highs.setOptionValue("time_limit", time_max_s)
    highs.run()
    found = highs.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    return _answer(one, highs, built, with_duals=False) if found else None


def _phase_one(one: Program, is_whole: bool, time_max_s: Seconds) -> Floats:
    """Minimise the sum of demand left out, which nothing forbids."""
    flows = one.sizes[3]
    unmet = _eased(one, np.arange(flows), 1.0, one.limits.served_min, is_whole, time_max_s)
    if unmet is None:
        raise ValueError(f"no placement was found within {time_max_s:g} s: give it more time")
    least = _UNMET_MIN * np.maximum(1e-9, one.limits.rate)
    return np.where(unmet > least, unmet, 0.0)


def _eased(
    one: Program,
    at: NDArray[np.intp],
    coefficient: float,
    most: Floats,
    is_whole: bool,
    time_max_s: Seconds,
) -> Floats | None:
    """The least sum of one more column for each of the rows `at`; None if even they do not do."""
    built, highs, more = matrix(one), _highs(), len(at)
    ends = np.concatenate([built.starts, built.starts[-1] + 1 + np.arange(more)])
    eased = Matrix(
        cost=np.concatenate([np.zeros(len(built.cost)), np.ones(more)]),
        upper=np.concatenate([built.upper, most]),
        row_lower=built.row_lower,
        row_upper=built.row_upper,
        starts=ends.astype(np.int32),
        rows=np.concatenate([built.rows, at]).astype(np.int32),
        coefficients=np.concatenate([built.coefficients, np.full(more, coefficient)]),
    )
    _pass(highs, eased, is_whole=_replica_columns(one) if is_whole else None)
    highs.setOptionValue("time_limit", time_max_s)
    highs.run()
    feasible = highspy.SolutionStatus.kSolutionStatusFeasible
    if highs.getInfo().primal_solution_status != feasible:
        return None
    return np.array(highs.getSolution().col_value)[-more:]


def _replica_columns(one: Program) -> slice:
    pairs, options, _, _, _ = one.sizes
    return slice(pairs, pairs + options)


def _highs() -> Any:
    highs: Any = highspy.Highs()
    for option, value in (("output_flag", False), ("threads", 1), ("parallel", "off")):
        highs.setOptionValue(option, value)
    return highs


def _pass(highs: Any, built: Matrix, is_whole: slice | None = None) -> None:
    columns = len(built.cost)
    kinds = np.zeros(columns, np.int32)
    if is_whole is not None:
        kinds[is_whole] = 1
    highs.clearModel()
    highs.passModel(
        columns,
        len(built.row_upper),
        len(built.rows),
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        0.0,
        built.cost,
        np.zeros(columns),
        built.upper,
        built.row_lower,
        built.row_upper,
        built.starts,
        built.rows,
        built.coefficients,
        kinds,
    )


def _answer(one: Program, highs: Any, built: Matrix, with_duals: bool) -> Answer:
    pairs, options, _, flows, _ = one.sizes
    solution, info = highs.getSolution(), highs.getInfo()
    columns = np.maximum(np.array(solution.col_value), 0.0)
    rates, rented = columns[:pairs], columns[pairs + options :]
    replicas: Floats = columns[pairs : pairs + options]
    if not with_duals:
        replicas = np.rint(replicas)
    objective = -float(info.objective_function_value)
    return Answer(
        rates=np.where(rates > 1e-9, rates, 0.0),
        replicas=replicas,
        rented=rented,
        unmet_per_s=np.zeros(flows),
        objective_usd_per_hour=objective,
        bound_usd_per_hour=objective if with_duals else -float(info.mip_dual_bound),
        duals=_duals(one, solution) if with_duals else None,
        status=str(highs.modelStatusToString(highs.getModelStatus())).lower(),
    )


def _duals(one: Program, solution: Any) -> Duals:
    pairs, options, assets, flows, _ = one.sizes
    worth = -np.array(solution.row_dual)
    flow, gpu, asset, kw = np.split(worth, np.cumsum([flows, options, assets]))
    reduced = -np.array(solution.col_dual)[pairs + options :]
    return Duals(
        flow=flow,
        gpu=np.maximum(gpu, 0.0),
        asset=np.maximum(asset, 0.0),
        watt=np.maximum(kw, 0.0) / WATTS_PER_ROW_UNIT,
        rent=np.maximum(reduced, 0.0),
    )
