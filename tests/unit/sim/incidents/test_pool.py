"""Does the small pool keep its tasks, stay well alone, and break by each mechanism alone?"""

import numpy as np
import pytest

from flyball.diagnosis.signals import Signals
from flyball.sim.incidents.pool import COLUMNS, Pool, Settings
from flyball.sim.incidents.truth import harmed_at

SEED = 71


def played(hours: float = 1.0, **settings: object) -> Signals:
    pool = Pool(Settings(**settings), SEED)  # type: ignore[arg-type]
    pool.run(hours * 3600.0)
    return pool.table()


def test_the_same_seed_is_the_same_run() -> None:
    np.testing.assert_array_equal(played().values, played().values)


def test_left_alone_it_is_well() -> None:
    table = played(4.0, scale_gain=0.3)
    assert harmed_at(table) is None
    assert 45 < table.column("pool.replicas")[-60:].mean() < 60


def test_no_task_is_lost_or_made() -> None:
    pool = Pool(Settings(), SEED)
    pool.run(3600.0)
    table = pool.table()
    total = {name: table.column(name).sum() * table.step_s for name in COLUMNS[:5]}
    assert total["plant.attempts_per_s"] == pytest.approx(
        total["plant.fresh_per_s"] + total["plant.retries_per_s"]
    )
    inside = pool.queue + pool.waiting
    assert total["plant.fresh_per_s"] == pytest.approx(
        total["plant.finished_per_s"] + inside, abs=1.0
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"load": 70.0},
        {"stall_s": 1.0},
        {"overhead": 0.01},
        {"scale_gain": 0.3, "other_period_s": 600.0, "other_value": 9.0},
        {"scale_gain": 0.3, "sensor": "processor", "stall_s": 0.5},
        {"scale_gain": 0.3, "vertical": 2.0, "replicas": 60.0},
        {"budget": 25.0, "cost_gain": 0.2, "persistence": 0.9, "retry_budget": 9.0},
    ],
)
def test_each_mechanism_harms(broken: dict[str, object]) -> None:
    assert harmed_at(played(4.0, **broken)) is not None


def test_a_spike_stays_with_stubborn_clients_and_goes_with_calm_ones() -> None:
    after = {}
    for budget in (0.1, 9.0):
        pool = Pool(Settings(persistence=0.95, retry_budget=budget, replicas=46.0), SEED)
        pool.run(1800.0)
        pool.settings.load = 110.0
        pool.run(90.0)
        pool.settings.load = 40.0
        pool.run(3 * 3600.0)
        after[budget] = pool.queue
    assert after[0.1] < 500 < after[9.0]


def test_a_health_check_takes_good_replicas_out() -> None:
    pool = Pool(Settings(ejects_per_s=0.01, eject_at_s=2.0, kept_in=0.4), SEED)
    pool.settings.load = 80.0
    pool.run(1800.0)
    assert 0.3 < pool.ejected <= 0.95 * 0.6
