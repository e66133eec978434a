"""Do moves move as written, and does a scenario become the same incident each time?"""

import numpy as np
import pytest

from flyball.sim.incidents import wiring
from flyball.sim.incidents.scenario import Move, Scenario, recorded


@pytest.mark.parametrize(
    ("move", "values"),
    [
        (Move(at_h=1.0, field="x", to=3.0), (1.0, 3.0, 3.0)),
        (Move(at_h=1.0, field="x", to=3.0, over_s=3600.0), (1.0, 2.0, 3.0)),
        (Move(at_h=1.0, field="x", to=3.0, lasts_s=3600.0), (1.0, 3.0, 1.0)),
        (Move(at_h=1.0, field="x", to=3.0, lasts_s=2000.0, every_s=5400.0), (1.0, 3.0, 3.0)),
        (Move(at_h=1.0, field="x", to=0.5, wave_s=7200.0), (1.0, 1.5, 0.5)),
    ],
)
def test_a_move(move: Move, values: tuple[float, float, float]) -> None:
    hours = (0.5, 1.0 if not move.over_s and not move.wave_s else 1.5, 2.5)
    assert [move.value(3600.0 * at, 1.0) for at in hours] == pytest.approx(values)


SPIKE = Scenario(
    name="spike",
    title="A spike that clients hold up",
    form="step",
    settings={"persistence": 0.95, "replicas": 46.0, "retry_budget": 9.0},
    moves=(Move(at_h=0.5, field="load", to=110.0, lasts_s=120.0),),
    wiring=wiring.pool(),
    changes=((0.5, {"version": "v1"}),),
    loops=("retry",),
    kinds=("metastable",),
    began_h=0.5,
    hours=3.0,
)


def test_the_same_seed_is_the_same_incident() -> None:
    first, second = recorded(SPIKE, 3, "tuning"), recorded(SPIKE, 3, "tuning")
    np.testing.assert_array_equal(first.signals.values, second.signals.values)
    assert first.truth == second.truth


def test_seeds_differ_in_load_and_moment() -> None:
    one, other = recorded(SPIKE, 3, "tuning"), recorded(SPIKE, 4, "tuning")
    assert one.truth.began_s != other.truth.began_s
    assert not np.array_equal(one.signals.values[:100], other.signals.values[:100])


def test_the_truth_is_of_what_happened() -> None:
    made = recorded(SPIKE, 3, "judging")
    truth = made.truth
    assert truth.harm_s is not None
    assert truth.began_s < truth.harm_s
    assert made.changes[0].at == truth.began_s
    assert made.signals.end_s <= truth.harm_s + 1800.0
    assert truth.half == "judging"


@pytest.mark.parametrize("plant", ["batching", "events"])
def test_the_large_fleet_is_played_too(plant: str) -> None:
    quiet = Scenario(
        name="q",
        title="quiet",
        form="neutral",
        plant=plant,
        settings={"load": 39.0},
        hours=0.2,
        told_gain={"router": 0.5},
    )
    made = recorded(quiet, 5, "tuning")
    assert made.truth.harm_s is None
    assert len(made.signals.values) == 72
    assert made.signals.column("loop.router.gain")[0] == pytest.approx(0.005)
