"""Is the plant the published one: at rest, reproducible, conserving, its loops in their limits?"""

import numpy as np
import pytest

from flyball.sim.incidents.plant import COLUMNS, DITHER, Plant
from flyball.sim.incidents.plant_laws import Laws

SEED = 61


def mean(rows: np.ndarray, name: str) -> float:
    return float(rows[:, COLUMNS.index(name)].mean())


def test_the_nominal_plant_stands_where_it_was_published() -> None:
    """bad 0.645 %, latency 5 s, 40 replicas, 0.854 of context kept."""
    print(f"seed {SEED}")
    plant = Plant(Laws(), 4, SEED)
    plant.run(600)
    rows = plant.run(3600)
    bad = mean(rows, "plant.bad_per_s") / mean(rows, "plant.finished_per_s")
    assert bad == pytest.approx(0.00645, rel=0.06)
    assert mean(rows, "plant.latency_s") == pytest.approx(5.0, abs=0.3)
    assert mean(rows, "fast.util") == pytest.approx(0.72, abs=0.01)
    assert mean(rows, "loop.cost.setpoint") == pytest.approx(0.854, abs=0.02)
    assert mean(rows, "plant.spend_per_s") == pytest.approx(38.0, rel=0.01)
    assert mean(rows, "loop.power.saturated") == 1.0


def test_same_seed_same_run_and_another_seed_another() -> None:
    first, again, other = (Plant(Laws(), 2, seed).run(300) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_tasks_are_neither_lost_nor_made() -> None:
    """Fresh tasks = finished ones + what is in flight or waits to come back."""
    plant = Plant(Laws(), 3, SEED)
    before = plant.queues.sum(axis=0) + plant.due.sum(axis=0)
    rows = plant.run(1200) * plant.step_s
    after = plant.queues.sum(axis=0) + plant.due.sum(axis=0)
    fresh = rows[:, COLUMNS.index("plant.fresh_per_s")].sum(axis=0)
    finished = rows[:, COLUMNS.index("plant.finished_per_s")].sum(axis=0)
    assert fresh - finished == pytest.approx(after - before)


def test_probing_dithers_by_known_signs_and_costs_little() -> None:
    """Published: the bad share 0.645 -> 0.652 %."""
    shares = {}
    for probing in (True, False):
        plant = Plant(Laws(), 6, SEED, probing)
        plant.run(600)
        rows = plant.run(3600)
        shares[probing] = mean(rows, "plant.bad_per_s") / mean(rows, "plant.finished_per_s")
        offsets = rows[:, [COLUMNS.index(f"probe.{loop}.offset") for loop in DITHER]]
        assert (np.abs(offsets) > 0).any() == probing
    assert shares[True] - shares[False] < 0.0005


def test_copies_may_have_settings_of_their_own() -> None:
    plant = Plant(Laws(), 2, SEED)
    plant.settings.load = np.array([20.0, 40.0])
    fresh = plant.run(600)[:, COLUMNS.index("plant.fresh_per_s")].mean(axis=0)
    assert fresh == pytest.approx([20.0, 40.0], rel=0.05)


@pytest.mark.parametrize("laws", [Laws(leaving=0.3), Laws(chill=0.5), Laws(queue="slots")])
def test_unlike_plants_run_within_their_limits(laws: Laws) -> None:
    plant = Plant(laws, 2, SEED)
    plant.settings.load = 47.0
    rows = plant.run(1800)
    assert np.isfinite(rows).all() and (plant.queues >= 0).all()
    assert ((plant.share >= 0.02) & (plant.share <= 0.98)).all()
    assert ((plant.kept >= 0.05) & (plant.kept <= 1.0)).all()
