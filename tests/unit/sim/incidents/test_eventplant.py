"""Is the discrete-event fleet near the other plant at rest, and honest about its copies?"""

import numpy as np
import pytest

from flyball.sim.incidents.eventplant import EventPlant
from flyball.sim.incidents.plant import COLUMNS
from flyball.sim.incidents.plant_laws import Laws

SEED = 73


def test_at_rest_it_serves_what_comes_at_its_own_latency() -> None:
    plant = EventPlant(Laws(), 1, SEED)
    plant.run(1800)
    mean = dict(zip(COLUMNS, plant.run(1800)[:, :, 0].mean(axis=0), strict=True))
    assert mean["plant.finished_per_s"] == pytest.approx(mean["plant.fresh_per_s"], rel=0.05)
    assert 3.0 < mean["plant.latency_s"] < 12.0
    assert mean["plant.bad_per_s"] / mean["plant.finished_per_s"] < 0.02
    served = mean["fast.served_per_s"] + mean["slow.served_per_s"]
    assert served == pytest.approx(mean["plant.attempts_per_s"], rel=0.05)


def test_same_seed_same_run() -> None:
    first, second = (EventPlant(Laws(), 1, SEED).run(120) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_more_load_waits_longer() -> None:
    waits = []
    for load in (40.0, 55.0):
        plant = EventPlant(Laws(), 1, SEED)
        plant.settings.load = load
        plant.settings.cost_gain = plant.settings.autoscaler_gain = 0.0
        waits.append(plant.run(900)[-30:, COLUMNS.index("plant.latency_s"), 0].mean())
    assert waits[1] > waits[0]


def test_one_copy_only() -> None:
    with pytest.raises(ValueError, match="one copy"):
        EventPlant(Laws(), 2, SEED)
