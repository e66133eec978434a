"""Which rates and prices solve the joint problem, and how fast? (HiGHS, columns priced in numpy.)

The problem has as many activities as classes x pools, of which a few hundred carry load. So a small
linear program over chosen activities is solved, all others are priced by numpy against its duals,
and those worth more than their demand's price join (column generation; Dantzig & Wolfe 1960). The
cubic congestion cost enters by chords whose breakpoints are re-centred on the loads found. Both
loops end when the duality gap *of the true convex problem* (`lagrangian.bound`) is small enough: a
proof, not an estimate. The next problem starts from the chosen activities, grid and basis of this.
Supplies (replicas, power levels) are few, so all of them are in every program. A large program that
starts from nothing is solved by interior points while its gap is wide: their prices lie amid the
optimal face and not in its corner, so that fewer columns that lead nowhere join.
"""

import time
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from flyball.pricing import restricted
from flyball.pricing.arrays import Arrays, Floats, read
from flyball.pricing.lagrangian import (
    Prices,
    bound,
    capacity,
    demand_prices,
    gap,
    loads,
    objective,
    surplus,
    usage,
)
from flyball.pricing.problem import Problem, Solution
from flyball.units import Ratio, Seconds

Indices = NDArray[np.intp]
_Status = highspy.HighsBasisStatus
_LOOSE = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kUnknown)
_DUAL, _PRIMAL = 1, 4  # values of HiGHS' option simplex_strategy
_INTERIOR, _CROSSOVER = -1, -2  # interior points: loosely and without a basis, or tightly with one
_ROUNDS_MAX = 40
_JOIN = 1  # activities that join per class and per pool in a round; twice that for a large program
_LARGE = 1500  # rows from which a cold start by interior points is faster (measured)
_NEAR = 0.03  # gap from which on it is worth having a basis
_KEPT = 2  # activities kept per class and per pool for the next problem, besides the basic ones
_STUCK = 0.999  # a gap that shrank by less in a round did not shrink
_TIE = 1e-6
_NO_REPLICAS = np.zeros(0)
_NOTHING = -1e-9  # reduced cost, as a share of the largest worth, below which nothing is gained


@dataclass(slots=True)
class _Start:
    """Where the next solve begins: chosen activities, breakpoints, loads and the basis."""

    chosen: Indices
    grid: Floats
    load: Floats
    columns: list[Any]
    rows: list[Any]


@dataclass(slots=True)
class _Answer:
    """The best answer so far, feasible on both sides."""

    rates: Floats
    replicas: Floats
    prices: Prices
    load: Floats
    objective: float
    bound: float
    gap: float


class Solver:
    """Solves one problem after another, each from where the last one ended. Not thread-safe.

    `gap_target` ends the rounds (ask for less than the certificate's `gap_max`); `time_max_s` ends
    them early with status "time limit" and the best feasible answer found.
    """

    def __init__(self, gap_target: Ratio = 3e-5, time_max_s: Seconds = 2.0) -> None:
        self._gap_target = gap_target
        self._time_max_s = time_max_s
        self._highs: Any = highspy.Highs()
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("solver", "simplex"),
            ("presolve", "off"),
        ):
            self._highs.setOptionValue(option, value)
        self._known: Arrays | None = None
        self._start: _Start | None = None

    def solve(self, problem: Problem) -> Solution:
        """The best rates and prices; raises ValueError if the problem is malformed.

        `status` is "optimal" if the gap target was met, else HiGHS' own words or "time limit" /
        "stalled" with the best feasible answer (or all zeros). Rates are feasible and prices dual
        feasible to rounding, not to a solver's tolerance.
        """
        began = time.perf_counter()
        arrays = self._read(problem)
        answer, status = self._rounds(arrays, problem.segments, began + self._time_max_s)
        return Solution(
            made_at=problem.made_at,
            solve_s=time.perf_counter() - began,
            rates=tuple(answer.rates.tolist()),
            demand_prices=tuple(answer.prices.demand.tolist()),
            gpu_prices=tuple(answer.prices.gpu.tolist()),
            kv_prices=tuple(answer.prices.kv.tolist()),
            watt_prices=tuple(answer.prices.watt.tolist()),
            budget_prices=tuple(answer.prices.budget.tolist()),
            pool_loads=tuple(answer.load.tolist()),
            objective_usd_per_s=answer.objective,
            bound_usd_per_s=answer.bound,
            status=status,
            link_prices=tuple(answer.prices.link.tolist()),
            group_prices=tuple(answer.prices.group.tolist()),
            replicas=tuple(answer.replicas.tolist()),
        )

    def _read(self, problem: Problem) -> Arrays:
        """Arrays of the problem; drops the warm start if the structure is another."""
        arrays = read(problem)
        known, start = self._known, self._start
        if known is not None and start is not None:
            same = (
                np.array_equal(known.uses.class_index, arrays.uses.class_index)
                and np.array_equal(known.uses.pool_index, arrays.uses.pool_index)
                and np.array_equal(known.supplies.pool_index, arrays.supplies.pool_index)
                and start.grid.shape[1] == restricted.pieces(problem.segments) + 1
                and len(start.load) == len(problem.pools)
                and len(start.rows) == restricted.row_starts(arrays)[-1]
            )
            if not same:
                self._start = None
        self._known = arrays
        return arrays

    def _rounds(self, arrays: Arrays, segments: int, ends_at: float) -> tuple[_Answer, str]:
        best, status = _nothing(arrays), "stalled"
        spare = arrays.worth_usd
        if best.gap <= self._gap_target:  # no demand, or none worth its money
            return best, "optimal"
        scale = restricted.scales(arrays)
        start, warm = self._start or _cold_start(arrays, segments), self._start is not None
        large = restricted.row_starts(arrays)[-1] >= _LARGE
        strategy = _DUAL if warm else _INTERIOR if large else _PRIMAL
        finest, before = restricted.FINEST, np.inf
        for _ in range(_ROUNDS_MAX):
            failure = self._run(arrays, scale, start, strategy, ends_at)
            from_none = strategy == _PRIMAL and not start.rows
            if failure and not from_none and time.perf_counter() < ends_at:
                start.rows = []  # a basis that leads nowhere: begin from none
                failure = self._run(arrays, scale, start, _PRIMAL, ends_at)
            if failure:
                self._start = None
                return best, failure
            answer, spare = self._answer(arrays, scale, start)
            best = _better(best, answer)
            if best.gap <= self._gap_target and start.rows:
                status = "optimal"
                break
            if time.perf_counter() >= ends_at:
                status = "time limit"
                break
            strategy = _next(strategy, answer.gap)
            start.load = _centres(arrays, answer)
            if answer.gap > _STUCK * before:  # as good as this grid allows
                finest *= 0.25
            before = answer.gap
            _recentre(start, segments, arrays.elastic, finest)
            count = 2 * _JOIN if large and not warm else _JOIN
            _join(arrays, start, spare, _NOTHING * -scale.worth, count)
        self._start = _trim(arrays, start, spare) if start.rows else None
        return best, status

    def _run(
        self,
        arrays: Arrays,
        scale: restricted.Scales,
        start: _Start,
        strategy: int,
        ends_at: float,
    ) -> str:
        """Solve the restricted program from the basis in `start`, update it; "" or the failure."""
        program = restricted.build(arrays, scale, start.chosen, start.grid)
        columns, rows = len(program.cost), len(program.row_upper)
        highs = self._highs
        highs.passModel(
            columns,
            rows,
            len(program.rows),
            int(highspy.MatrixFormat.kColwise),
            int(highspy.ObjSense.kMinimize),
            0.0,
            program.cost,
            np.zeros(columns),
            program.upper,
            np.full(rows, -np.inf),
            program.row_upper,
            program.starts,
            program.rows,
            program.coefficients,
            np.zeros(columns, np.int32),
        )
        if start.rows:
            basis: Any = highspy.HighsBasis()
            basis.valid = True
            basis.col_status = start.columns
            basis.row_status = start.rows
            highs.setBasis(basis)
        _ask(highs, strategy)
        left_s = max(1e-3, ends_at - time.perf_counter())
        highs.setOptionValue("time_limit", highs.getRunTime() + left_s)
        highs.run()
        status = highs.getModelStatus()
        if status == highspy.HighsModelStatus.kTimeLimit:
            return "time limit"
        if strategy == _INTERIOR and status in _LOOSE:
            start.columns, start.rows = [], []
            return ""
        if status != highspy.HighsModelStatus.kOptimal:
            return str(highs.modelStatusToString(status)).lower()
        basis = highs.getBasis()
        start.columns, start.rows = list(basis.col_status), list(basis.row_status)
        return ""

    def _answer(
        self, arrays: Arrays, scale: restricted.Scales, start: _Start
    ) -> tuple[_Answer, Floats]:
        """The last run as a feasible answer, and every activity's reduced worth (n,)."""
        solution = self._highs.getSolution()
        value = np.array(solution.col_value)
        pieces, supplies = _places(arrays, start)
        prices = restricted.prices_of(solution.row_dual, arrays, scale)
        rates = np.zeros(len(arrays.worth_usd))
        rates[start.chosen] = value[supplies:]
        replicas = _shrink_replicas(arrays, value[pieces:supplies], np.maximum(rates, 0.0))
        rates = _shrink(arrays, np.maximum(rates, 0.0), replicas)
        left = surplus(arrays, prices)
        spare = left - prices.demand[arrays.uses.class_index]
        prices = prices._replace(demand=demand_prices(arrays, left))
        load = loads(arrays, usage(arrays, rates, replicas), replicas)
        worth = objective(arrays, rates, load, replicas)
        return _answer_of(arrays, rates, replicas, prices, load, worth), spare


def _ask(highs: Any, strategy: int) -> None:
    """Set the method of the next run."""
    interior = strategy in (_INTERIOR, _CROSSOVER)
    highs.setOptionValue("solver", "ipm" if interior else "simplex")
    if interior:
        loose = strategy == _INTERIOR
        highs.setOptionValue("run_crossover", "off" if loose else "on")
        highs.setOptionValue("ipm_optimality_tolerance", 1e-5 if loose else 1e-8)
    else:
        highs.setOptionValue("simplex_strategy", strategy)


def _next(strategy: int, gap: Ratio) -> int:
    """The method of the next round."""
    if strategy == _INTERIOR:
        return _INTERIOR if gap > _NEAR else _CROSSOVER
    return _PRIMAL


def _places(arrays: Arrays, start: _Start) -> tuple[int, int]:
    """Where the columns of the supplies begin, and where they end."""
    pieces = start.grid.size - len(start.grid)
    return pieces, pieces + len(arrays.supplies.gpu_s)


def _nothing(arrays: Arrays) -> _Answer:
    """The plan that serves nothing, with the prices that make it look best: a valid bound."""
    none, idle = np.zeros(len(arrays.worth_usd)), np.zeros(len(arrays.supplies.gpu_s))
    zero = Prices(*(np.zeros(len(limit)) for limit in capacity(arrays)))
    prices = zero._replace(demand=demand_prices(arrays, arrays.worth_usd))
    load = loads(arrays, usage(arrays, none))
    return _answer_of(arrays, none, idle, prices, load, 0.0)


def _answer_of(
    arrays: Arrays, rates: Floats, replicas: Floats, prices: Prices, load: Floats, worth: float
) -> _Answer:
    proven = bound(arrays, prices)
    return _Answer(rates, replicas, prices, load, worth, proven, gap(arrays, worth, proven))


def _better(best: _Answer, answer: _Answer) -> _Answer:
    return answer if answer.gap <= best.gap else best


def _cold_start(arrays: Arrays, segments: int) -> _Start:
    """Each class' and pool's best activities at four fifths of the full price of congestion."""
    guess = Prices(*(np.zeros(len(limit)) for limit in capacity(arrays)))
    guess = guess._replace(gpu=0.8 * arrays.congestion_usd_per_gpu_s)
    everyone = np.arange(len(arrays.worth_usd))
    pools = len(arrays.gpu_s_max)
    return _Start(
        chosen=_best_of_each(arrays, everyone, surplus(arrays, guess), _KEPT),
        grid=restricted.even_grid(pools, segments),
        load=np.zeros(pools),
        columns=[],
        rows=[],
    )


def _best_of_each(arrays: Arrays, among: Indices, score: Floats, count: int) -> Indices:
    """Of the activities `among`, the `count` of highest score in each class and in each pool.

    `count` passes of a maximum per group: sorting them all takes ten times as long. Equal scores
    are told apart by `_TIE` of themselves and a low-discrepancy sequence: pools that are alike
    (one product at many sites) must not all be passed over for the first of them, round by round
    (measured: 20 rounds for 6).
    """
    uses, picked = arrays.uses, [among[:0]]
    apart = among * 0.6180339887498949 % 1.0
    near = score[among] - _TIE * np.abs(score[among]) * apart
    groups = (
        (uses.class_index, len(arrays.demand_per_s)),
        (uses.pool_index, len(arrays.gpu_s_max)),
    )
    for index, size in groups:
        group, left = index[among], near.copy()
        for _ in range(count):
            best = np.full(size, -np.inf)
            np.maximum.at(best, group, left)
            top = np.flatnonzero((left == best[group]) & (left > -np.inf))
            top = top[np.unique(group[top], return_index=True)[1]]
            picked.append(among[top])
            left[top] = -np.inf
    return np.unique(np.concatenate(picked))


def _centres(arrays: Arrays, answer: _Answer) -> Floats:
    """Around which load of each pool to look more closely: the one found. Of a pool left without
    any capacity that says nothing (between pools that are alike the plan jumps from round to
    round), so there it is the load at which the GPU's price equals the marginal congestion."""
    load = answer.load.copy()
    some = np.flatnonzero(capacity(arrays, answer.replicas).gpu <= 0.0)
    full = arrays.congestion_usd_per_gpu_s[some]
    ratio = np.divide(answer.prices.gpu[some], full, out=np.zeros_like(full), where=full > 0)
    load[some] = np.sqrt(np.minimum(ratio, 1.0))
    return load


def _recentre(start: _Start, segments: int, elastic: Indices, finest: float) -> None:
    """New breakpoints at the loads found; the basis is translated so that it stays feasible.

    Pieces below the load are full, those above empty. A pool whose load row was balanced by a basic
    piece gets the first piece above its load as the basic one, at zero. A pool of undecided
    capacity runs all of it at its load: as many columns as were basic are so from there upward.
    """
    pools, per_pool = len(start.load), start.grid.shape[1] - 1
    start.grid = restricted.grid_around(start.load, segments, finest)
    if not start.rows:
        return
    old = start.columns[: pools * per_pool]
    middle = per_pool // 2
    fresh = ([_Status.kUpper] * middle + [_Status.kLower] * (per_pool - middle)) * pools
    for place, status in enumerate(old):
        if status == _Status.kBasic:
            fresh[place - place % per_pool + middle] = _Status.kBasic
    for pool in elastic.tolist():
        first = pool * per_pool
        basic = old[first : first + per_pool].count(_Status.kBasic)
        own = [_Status.kLower] * per_pool
        own[middle - 1 : middle - 1 + basic] = [_Status.kBasic] * basic
        fresh[first : first + per_pool] = own[:per_pool]
    start.columns[: pools * per_pool] = fresh


def _join(arrays: Arrays, start: _Start, spare: Floats, least: float, count: int) -> None:
    """Let the `count` most under-priced activities of each class and pool join the program."""
    outside = spare > least
    outside[start.chosen] = False
    joining = _best_of_each(arrays, np.flatnonzero(outside), spare, count)
    start.chosen = np.concatenate([start.chosen, joining])
    if start.rows:
        start.columns.extend([_Status.kLower] * len(joining))


def _trim(arrays: Arrays, start: _Start, spare: Floats) -> _Start:
    """Keep what is basic and the runners-up, so that the program does not grow without end."""
    _, before = _places(arrays, start)
    basic = np.fromiter(
        (status == _Status.kBasic for status in start.columns[before:]), bool, len(start.chosen)
    )
    near = np.zeros(len(spare), bool)
    near[_best_of_each(arrays, start.chosen, spare, _KEPT)] = True
    kept = np.flatnonzero(basic | near[start.chosen])
    start.columns = start.columns[:before] + [start.columns[before + place] for place in kept]
    start.chosen = start.chosen[kept]
    return start


def _share(used: Floats, most: Floats) -> Floats:
    """By which factor to reduce each resource's use so that it fits, and 1 in an extra place."""
    fit = np.divide(most, used, out=np.ones_like(used), where=used > most)
    return np.append(fit, 1.0)


def _shrink_replicas(arrays: Arrays, replicas: Floats, rates: Floats) -> Floats:
    """Replicas within their bounds, and reduced where they exceed a group's units or, with the
    rates, a site's power."""
    supplies = arrays.supplies
    kept = np.clip(replicas, 0.0, supplies.replicas_max)
    if not kept.size:
        return kept
    used, most = usage(arrays, rates, kept), capacity(arrays)
    group = np.where(supplies.units > 0, _share(used.group, most.group)[supplies.group_index], 1.0)
    watt = np.where(supplies.watts > 0, _share(used.watt, most.watt)[supplies.site_index], 1.0)
    return kept * np.minimum(group, watt)


def _shrink(arrays: Arrays, rates: Floats, replicas: Floats = _NO_REPLICAS) -> Floats:
    """Rates reduced where the solver's tolerance left a capacity exceeded, so that none is."""
    uses = arrays.uses
    most = capacity(arrays, replicas)
    if replicas.size:
        idle = usage(arrays, np.zeros_like(rates), replicas).watt
        most = most._replace(watt=np.maximum(most.watt - idle, 0.0))
    demand, gpu, kv, watt, budget, link, _ = map(_share, usage(arrays, rates), most)
    some = np.flatnonzero(rates)
    pool = uses.pool_index[some]
    least = np.minimum.reduce(
        [
            demand[uses.class_index[some]],
            np.where(uses.gpu_s[some] > 0, gpu[pool], 1.0),
            np.where(uses.kv_token_s[some] > 0, kv[pool], 1.0),
            np.where(uses.joules[some] > 0, watt[arrays.site_index[some]], 1.0),
            np.where(uses.usd[some] > 0, budget[uses.budget_index[some]], 1.0),
            np.where(uses.link_bytes[some] > 0, link[uses.link_index[some]], 1.0),
        ]
    )
    shrunk = np.zeros_like(rates)
    shrunk[some] = rates[some] * least
    return shrunk
