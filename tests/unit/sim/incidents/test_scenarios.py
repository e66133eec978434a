"""Are all published incidents there, do the small ones harm, and are truths well-formed?"""

import pytest

from flyball.sim.incidents.neutrals import NEUTRALS
from flyball.sim.incidents.scenario import Scenario, recorded
from flyball.sim.incidents.scenarios import INCIDENTS, PUBLISHED, RAMPS, change

SMALL = [one for one in PUBLISHED if one.plant == "pool"]


def test_all_twenty_are_there() -> None:
    names = {one.name for one in (*PUBLISHED, *NEUTRALS)}
    assert {f"I{number}" for number in range(1, 21)} <= names


def test_ramps_stand_on_unlike_plants() -> None:
    assert {"events", "saturating", "slots", "leaving", "chill"} <= {one.plant for one in RAMPS}


def test_names_are_unique() -> None:
    names = [one.name for one in (*INCIDENTS, *NEUTRALS)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("scenario", SMALL, ids=lambda one: one.name)
def test_it_harms_after_it_began(scenario: Scenario) -> None:
    truth = recorded(scenario, 9, "tuning").truth
    assert truth.harm_s is not None
    assert truth.loops
    assert truth.kinds
    assert truth.harm_s > truth.began_s


def test_a_change_is_told_as_operators_write_it() -> None:
    made = change("budget", 31.5, "x", loops=("cost",), kinds=("fold",))
    assert made.changes[0][1]["loops"] == {"cost": {"target": 31.5}}
    with pytest.raises(KeyError):
        change("colour", 1.0, "x")
