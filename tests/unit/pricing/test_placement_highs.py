"""Are fluid and whole placements the best there are? (Against trying all of them.)

The judge knows nothing of the solver: it tries every count of replicas, and for each every vertex
of what is left, by plain linear algebra.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.pricing.placement import Asset
from flyball.pricing.placement_highs import (
    Fluid,
    asset_row,
    least_more,
    least_unmet,
    site_row,
    whole,
)
from flyball.pricing.placement_program import Program, matrix, program
from support.placements import drawn, flow, placement


def best_by_trying_all(one: Program, most: int) -> float | None:
    """Profit of the best whole placement, USD per hour; None if none serves what must be served."""
    pairs, options, assets, _, _ = one.sizes
    built = matrix(one)
    rows = np.zeros((len(built.row_upper), len(built.cost)))
    for column in range(len(built.cost)):
        here = slice(built.starts[column], built.starts[column + 1])
        np.add.at(rows[:, column], built.rows[here], built.coefficients[here])
    kept = np.flatnonzero(built.upper[:pairs] > 0)
    best = None
    for counts in itertools.product(range(most + 1), repeat=options):
        fixed = rows[:, pairs : pairs + options] @ np.array(counts, float)
        at = slice(one.sizes[3] + options, one.sizes[3] + options + assets)
        rented = np.maximum(0.0, fixed[at] - built.row_upper[at])
        if (rented > built.upper[pairs + options :] + 1e-9).any():
            continue
        spent = built.cost[pairs : pairs + options] @ counts
        spent += built.cost[pairs + options :] @ rented
        top = built.row_upper - fixed
        top[at] = np.inf
        found = best_vertex(
            built.cost[kept],
            rows[:, kept],
            np.where(np.isfinite(built.row_lower), built.row_lower, -np.inf),
            top,
        )
        if found is not None and (best is None or found - spent > best):
            best = found - spent
    return best


def best_vertex(
    cost: np.ndarray, rows: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> float | None:
    """Max of -cost x over lower <= rows x <= upper, x >= 0, by its vertices."""
    size = len(cost)
    sides = [(rows[i], upper[i]) for i in range(len(upper)) if np.isfinite(upper[i])]
    sides += [(-rows[i], -lower[i]) for i in range(len(lower)) if lower[i] > 0]
    sides += [(-np.eye(size)[i], 0.0) for i in range(size)]
    left = np.array([side for side, _ in sides]).reshape(len(sides), size)
    right = np.array([limit for _, limit in sides])
    scale = np.maximum(1e-12, np.abs(left).max(axis=1, initial=0.0))
    left, right = left / scale[:, None], right / scale
    if size == 0:
        return 0.0 if (right >= -1e-9).all() else None
    picked = np.array(list(itertools.combinations(range(len(sides)), size)))
    squares = left[picked]
    regular = np.abs(np.linalg.det(squares)) > 1e-12
    if not regular.any():
        return None
    points = np.linalg.solve(squares[regular], right[picked[regular]][..., None])[..., 0]
    feasible = (points @ left.T <= right + 1e-7 * (1 + np.abs(right))).all(axis=1)
    return float((-points[feasible] @ cost).max()) if feasible.any() else None


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 2), st.integers(1, 2))
def test_whole_placements_are_the_best_of_all(seed: int, flows: int, kinds: int) -> None:
    problem = drawn(seed, flows, 3 - kinds, kinds, 2)
    one = program(problem)
    best, fluid = best_by_trying_all(one, 2), Fluid().solve(one)
    answer = whole(one, 0.0, 20.0)
    if best is None:
        assert not answer.is_whole
        return
    assert answer.is_whole and fluid is not None
    assert answer.objective_usd_per_hour == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert fluid.objective_usd_per_hour >= best - 1e-6
    assert answer.bound_usd_per_hour >= best - 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_prices_prove_the_fluid_optimum(seed: int) -> None:
    """Strong duality: what limits are worth at their prices is the profit, to rounding."""
    one = program(drawn(seed, 6, 4, 4, 4))
    answer = Fluid().solve(one)
    if answer is None:
        assert least_unmet(one).sum() > 0
        return
    duals, limits = answer.duals, one.limits
    assert duals is not None
    flow_worth = np.where(duals.flow >= 0, duals.flow * limits.rate, duals.flow * limits.served_min)
    watts = np.where(duals.watt > 0, np.where(np.isfinite(limits.watts), limits.watts, 0.0), 0.0)
    worth = flow_worth.sum() + duals.asset @ limits.owned + duals.rent @ limits.rent_max
    worth += duals.watt @ watts
    assert worth == pytest.approx(answer.objective_usd_per_hour, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_warm_start_changes_nothing(seed: int) -> None:
    solver = Fluid()
    solver.solve(program(drawn(seed + 100, 6, 4, 3, 4)))
    one = program(drawn(seed, 6, 4, 3, 4))
    warm, cold = solver.solve(one), Fluid().solve(one)
    assert (warm is None) == (cold is None)
    if warm is not None and cold is not None:
        assert warm.objective_usd_per_hour == pytest.approx(cold.objective_usd_per_hour)


def test_what_cannot_be_served_is_least_and_the_rest_is_placed() -> None:
    owned = Asset(site_index=0, accelerator="H100-SXM", owned=1, usd_per_hour=8.0)
    one = program(placement([flow(rate=100.0)], [owned], z=0.0))
    assert Fluid().solve(one) is None
    unmet = least_unmet(one)
    answer = whole(one, 0.0, 10.0)
    assert not answer.is_whole
    assert answer.unmet_per_s[0] == pytest.approx(unmet[0], rel=1e-6)
    assert answer.rates.sum() == pytest.approx(100.0 - unmet[0], rel=1e-6)
    assert answer.replicas.sum() == 1


def test_the_least_rise_of_a_limit_is_just_enough() -> None:
    owned = Asset(site_index=0, accelerator="H100-SXM", owned=1, usd_per_hour=8.0)
    one = program(placement([flow(rate=40.0)], [owned], z=0.0))
    more = least_more(one, asset_row(one, 0))
    assert more is not None and more > 1.0
    for factor, serves in ((1.001, True), (0.99, False)):
        limits = one.limits._replace(owned=one.limits.owned + more * factor)
        eased = Program(one.problem, one.pairs, limits, one.money)
        assert (Fluid().solve(eased) is not None) is serves
    assert least_more(one, site_row(one, 0)) is None
