"""Is a truth that contradicts itself refused, and is harm found where it begins?"""

import msgspec
import numpy as np
import pytest

from flyball.diagnosis.signals import Signals
from flyball.sim.incidents.truth import SAME_KIND, Kind, Truth, harmed_at, truth_of

GOOD = {
    "name": "x",
    "form": "step",
    "half": "tuning",
    "plant": "pool",
    "seed": 1,
    "loops": ["router"],
    "kinds": ["fold"],
    "began_s": 10.0,
    "harm_s": 20.0,
}


def test_a_truth_goes_out_and_in() -> None:
    assert truth_of(msgspec.to_builtins(truth_of(GOOD))) == truth_of(GOOD)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"form": "neutral"}, "neutral"),
        ({"loops": []}, "name the loops"),
        ({"harm_s": 5.0}, "before it began"),
        ({"kinds": ["bad luck"]}, "kinds"),
        ({"more": 1}, "more"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        truth_of(GOOD | change)


def table(bad: np.ndarray, finished: np.ndarray) -> Signals:
    return Signals(
        names=("plant.bad_per_s", "plant.finished_per_s"),
        step_s=10.0,
        values=np.stack([bad, finished], axis=1),
        begin_s=10.0,
    )


def test_harm_is_the_end_of_the_first_ten_bad_minutes() -> None:
    finished = np.full(200, 100.0)
    bad = np.where(np.arange(200) < 100, 0.0, 100.0)
    # 2 % of 60 rows are more than one wholly bad row: the second.
    assert harmed_at(table(bad, finished)) == pytest.approx(1020.0)
    assert harmed_at(table(0.02 * finished, finished)) is None
    assert harmed_at(table(bad[:60], finished[:60])) is None


def test_a_fleet_that_finishes_nothing_harms() -> None:
    assert harmed_at(table(np.zeros(100), np.zeros(100))) is not None


def test_other_words_stand_for_known_kinds() -> None:
    assert set(SAME_KIND.values()) <= set(Kind.__args__)
    assert Truth.__struct_config__.frozen
