"""Does a rule for retries need a name of the catalogue?"""

import pytest

from flyball.sim.rivals.retry import Retry
from flyball.sim.rivals.sdk_default import SdkDefault


def test_a_rule_without_a_name_is_none() -> None:
    with pytest.raises(ValueError, match="no rival is named ''"):
        Retry()


def test_constants_are_the_rule_s_own() -> None:
    rule = SdkDefault({"delay_s": 1.0})
    assert rule.constants["delay_s"] == 1.0 and rule.constants["retries_max"] == 2
    rule.ended()
    assert rule.wait_s(1, 500, 0.0, 0.0, 0) == 1.0
