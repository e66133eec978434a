"""Are there enough neutral scenarios, and are the small ones' users unharmed?"""

from itertools import pairwise

import msgspec
import pytest

from flyball.sim.incidents.neutrals import NEUTRALS, POOLS
from flyball.sim.incidents.scenario import Scenario, recorded
from flyball.sim.incidents.truth import harmed_at


def test_ten_at_least() -> None:
    assert len(NEUTRALS) >= 10
    assert all(one.form == "neutral" for one in NEUTRALS)
    assert all(one.title != other.title for one, other in pairwise(NEUTRALS))


@pytest.mark.parametrize(
    "scenario", [one for one in POOLS if one.name != "I9"], ids=lambda one: one.name
)
def test_nobody_is_harmed(scenario: Scenario) -> None:
    short = msgspec.structs.replace(scenario, hours=10.0)
    assert harmed_at(recorded(short, 9, "tuning").signals) is None


def test_the_network_of_i9_fails_in_turns() -> None:
    (scenario,) = [one for one in POOLS if one.name == "I9"]
    made = recorded(scenario, 9, "tuning")
    assert harmed_at(made.signals) is not None
    assert made.truth.harm_s is None
