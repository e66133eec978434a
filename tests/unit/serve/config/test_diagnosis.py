"""Does what a fleet file says of diagnosis reach the core, and is nonsense refused?"""

import pytest

from flyball.governor.policy import Diagnosis
from support.configs import config, faults

START = "version: v1"


def test_it_reaches_the_policy() -> None:
    said = "diagnosis: {mode: enforce, interval_s: 2, learning_h: 24}"
    found = config((START, f"{START}\n{said}")).policy.diagnosis
    assert found == Diagnosis(mode="enforce", interval_s=2.0, learning_h=24.0)
    assert config().policy.diagnosis == Diagnosis()


@pytest.mark.parametrize("said", ["mode: loud", "interval_s: 0", "learning_h: 1", "period: 3"])
def test_nonsense_is_refused(said: str) -> None:
    assert faults((START, f"{START}\ndiagnosis: {{{said}}}"))
