"""Do the ramps end in harm and the quiet courses not, and is harm found when it begins?"""

from functools import cache

import numpy as np
import pytest

from flyball.sim.incidents import plant_runs
from flyball.sim.incidents.plant import COLUMNS, Settings
from flyball.sim.incidents.plant_laws import Laws

SEED = 67


PAIRED = ("S1", "S3", "S4", "wave", "failures")


def beside(*courses: plant_runs.Course) -> plant_runs.Course:
    """Courses side by side, each for two copies of its own."""
    own = [Settings() for _ in courses]

    def move(settings: Settings, at: float) -> None:
        for course, one in zip(courses, own, strict=True):
            course(one, at)
        for field in settings.__struct_fields__:
            setattr(settings, field, np.repeat([getattr(one, field) for one in own], 2))

    return move


@cache
def side_by_side() -> dict[str, list[plant_runs.Run]]:
    """All of them in one run, for a copy more costs little."""
    print(f"seed {SEED}")
    ramps = [plant_runs.ramp_course(plant_runs.RAMPS[name]) for name in PAIRED[:3]]
    quiet = [plant_runs.QUIET[name][0] for name in PAIRED[3:]]
    seconds = plant_runs.RAMP_S + plant_runs.HOLD_S
    runs = plant_runs.run(beside(*ramps, *quiet), Laws(), 2 * len(PAIRED), SEED, seconds)
    return {name: runs[2 * k : 2 * k + 2] for k, name in enumerate(PAIRED)}


@pytest.mark.parametrize("name", PAIRED[:3])
def test_a_ramp_ends_in_harm_after_it_began(name: str) -> None:
    for one in side_by_side()[name]:
        assert one.harm_s is not None
        assert one.began_s + 3600 < one.harm_s <= one.signals.end_s


@pytest.mark.parametrize("name", PAIRED[3:])
def test_a_quiet_course_stays_healthy(name: str) -> None:
    assert plant_runs.QUIET[name][1] == Laws().burst
    assert [one.harm_s for one in side_by_side()[name]] == [None, None]


def test_harm_is_told_at_the_end_of_its_first_ten_minutes() -> None:
    values = np.zeros((300, len(COLUMNS)))
    values[:, COLUMNS.index("plant.finished_per_s")] = 40.0
    assert plant_runs.harmed_at(values) is None
    values[100:, COLUMNS.index("plant.bad_per_s")] = 40.0 * 0.021
    found = plant_runs.harmed_at(values)
    assert found is not None
    assert 1000.0 + 550.0 <= found <= 1000.0 + 620.0


def test_a_course_moves_one_setting_and_then_holds() -> None:
    settings = Settings()
    move = plant_runs.ramp_course(plant_runs.RAMPS["S2"])
    seen = []
    for at in (0.0, 3 * 3600.0, 6 * 3600.0, 9 * 3600.0):
        move(settings, at)
        seen.append(settings.router_gain)
    assert seen == pytest.approx([0.01, 0.055, 0.10, 0.10])


@pytest.mark.parametrize("name", list(plant_runs.QUIET))
def test_every_quiet_course_moves_within_its_bounds(name: str) -> None:
    settings = Settings()
    course, burst = plant_runs.QUIET[name]
    for at in range(0, 36_000, 600):
        course(settings, float(at))
        assert 37.0 <= settings.load <= 42.5 and settings.tokens <= 1.05
        assert settings.fail_more <= 0.025
    assert burst <= 0.07


def test_a_run_is_the_plants_own_and_reproducible() -> None:
    first, again = (
        plant_runs.run(lambda *_: None, Laws(), 1, SEED, 600)[0].signals for _ in range(2)
    )
    assert np.array_equal(first.values, again.values)
    assert first.end_s == plant_runs.WARM_S + 600.0
