"""Is the linear program the problem it stands for?"""

import numpy as np
import pytest

from flyball.pricing import lagrangian, restricted
from flyball.pricing.arrays import read
from support.problems import problem_of

ARRAYS = read(problem_of(2, classes=6, pools=4, load=0.7))


@pytest.mark.parametrize("load", [0.0, 0.001, 0.37, 1.0, 1.2])
@pytest.mark.parametrize("segments", [1, 8, 16])
def test_breakpoints_rise_from_0_to_1_around_the_load(load: float, segments: int) -> None:
    grid = restricted.grid_around(np.array([load]), segments)[0]
    assert len(grid) == restricted.pieces(segments) + 1
    assert grid[0] == 0.0 and grid[-1] == 1.0 and (np.diff(grid) >= 0).all()
    assert min(abs(grid - min(load, 1.0))) == 0.0


def test_filled_pieces_cost_the_cube_at_every_breakpoint() -> None:
    pools = len(ARRAYS.gpu_s_max)
    grid = restricted.grid_around(np.full(pools, 0.6), 8)
    scale = restricted.scales(ARRAYS)
    program = restricted.build(ARRAYS, scale, np.arange(3), grid)
    size = grid.size - pools
    cost = (program.cost[:size] * program.upper[:size]).reshape(pools, -1).cumsum(axis=1)
    full = ARRAYS.gpu_s_max * ARRAYS.congestion_usd_per_gpu_s
    assert np.allclose(cost * scale.worth, full[:, None] * grid[:, 1:] ** 3 / 3)


def test_rows_equal_usage_over_capacity() -> None:
    rates = np.random.default_rng(0).random(len(ARRAYS.worth_usd))
    chosen = np.arange(len(rates))
    pools = len(ARRAYS.gpu_s_max)
    grid = restricted.even_grid(pools, 8)
    scale = restricted.scales(ARRAYS)
    program = restricted.build(ARRAYS, scale, chosen, grid)
    value = np.concatenate([np.zeros(grid.size - pools), rates])
    column = np.repeat(np.arange(len(value)), np.diff(program.starts))
    row = np.bincount(program.rows, program.coefficients * value[column], len(program.row_upper))
    used = lagrangian.usage(ARRAYS, rates)
    classes = len(ARRAYS.demand_per_s)
    assert np.allclose(row[:classes], used.demand)
    assert np.allclose(row[classes : classes + pools] * scale.gpu, used.gpu)
    assert np.allclose(row[classes + pools : classes + 2 * pools] * scale.kv, used.kv)
    rest = np.concatenate([used.watt / scale.watt, used.budget / scale.budget])
    assert np.allclose(row[classes + 2 * pools :], rest)


def test_prices_come_back_in_natural_units() -> None:
    scale = restricted.scales(ARRAYS)
    rows = len(restricted.row_upper(ARRAYS, scale))
    prices = restricted.prices_of(-np.ones(rows), ARRAYS, scale)
    assert np.allclose(prices.demand, scale.worth)
    assert np.allclose(prices.gpu * scale.gpu, scale.worth)
    assert np.allclose(prices.watt * scale.watt, scale.worth)
    assert (restricted.prices_of(np.ones(rows), ARRAYS, scale).kv == 0).all()
