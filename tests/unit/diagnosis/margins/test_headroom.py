"""Do both ends of the load margin hold, against the exact optimum of small fleets?"""

from math import inf, isinf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.diagnosis.margins.headroom import Ways, headroom


def ways(gpu: np.ndarray, kv: np.ndarray, may: np.ndarray) -> Ways:
    classes, pools = np.nonzero(may)
    count = gpu.shape[1]
    return Ways(
        class_index=classes,
        first=pools,
        second=count + pools,
        share_first=gpu[classes, pools],
        share_second=kv[classes, pools],
        resources=2 * count,
    )


def exact(gpu: np.ndarray, kv: np.ndarray, may: np.ndarray, demand: np.ndarray) -> float:
    """s* by the solver that the plans come from."""
    import highspy

    classes, pools = np.nonzero(may)
    count = len(classes)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    for _ in range(count + 1):
        solver.addVar(0.0, highspy.kHighsInf)
    solver.changeColCost(count, -1.0)

    def row(low: float, high: float, entries: dict[int, float]) -> None:
        places = np.array([*entries], dtype=np.int32)
        solver.addRow(low, high, len(entries), places, np.array([*entries.values()]))

    for number, wanted in enumerate(demand):
        served = {int(n): 1.0 for n in np.flatnonzero(classes == number)}
        row(0.0, 0.0, served | {count: -float(wanted)})
    for number in range(gpu.shape[1]):
        for table in (gpu, kv):
            used = {
                int(n): float(table[classes[n], number]) for n in np.flatnonzero(pools == number)
            }
            if used:
                row(-highspy.kHighsInf, 1.0, used)
    solver.run()
    return -solver.getInfo().objective_function_value


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10_000))
def test_the_interval_holds_the_optimum_and_is_narrow(classes: int, pools: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    gpu = chance.uniform(0.5, 3.0, (classes, pools)) / chance.uniform(1.0, 10.0, pools)
    kv = chance.uniform(0.1, 2.0, (classes, pools)) / chance.uniform(1.0, 10.0, pools)
    may = chance.random((classes, pools)) < 0.6
    may[:, 0] = True
    demand = chance.uniform(0.1, 3.0, classes)
    found = headroom(ways(gpu, kv, may), demand)
    best = exact(gpu, kv, may, demand)
    assert found.low <= best * (1.0 + 1e-6), f"seed {seed}"
    assert found.high >= best * (1.0 - 1e-6), f"seed {seed}"
    assert found.high <= 1.1 * found.low, f"seed {seed}"
    assert float(demand @ found.costs) == pytest.approx(1.0 / found.high, rel=1e-6)


def test_one_pool_is_exact() -> None:
    table = np.array([[0.1]])
    found = headroom(ways(table, 0.01 * table, table > 0.0), np.array([4.0]))
    assert found.low == pytest.approx(2.5) and found.high == pytest.approx(2.5)
    assert found.resource == 0


def test_no_demand_has_no_end_and_no_place_has_none() -> None:
    table = np.array([[0.1]])
    some = ways(table, table, table > 0.0)
    assert isinf(headroom(some, np.array([0.0])).low)
    gone = ways(np.array([[inf]]), table, table > 0.0)
    assert headroom(gone, np.array([1.0])).high == 0.0
