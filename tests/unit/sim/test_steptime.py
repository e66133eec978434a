"""Do femtoseconds keep the order of instants, and does a step cost what the profile says?"""

import math

import pytest

from flyball.dialects.profiles import catalogue
from flyball.sim.steptime import StepTime, seconds, ticks_at_or_after


@pytest.mark.parametrize("at", [0.0, 1e-9, 0.1, 1 / 3, 3600.000001, 1209600.123456789])
def test_an_instant_is_never_rounded_down(at: float) -> None:
    ticks = ticks_at_or_after(at)
    assert seconds(ticks) >= at
    assert seconds(ticks) - at <= 1e-15 + 2 * math.ulp(at)


@pytest.mark.parametrize("profile", catalogue().values(), ids=lambda profile: profile.name)
def test_step_costs_are_the_profiles(profile) -> None:
    cost = StepTime(profile)
    first, slope = cost.decode(17, 20_000)
    assert seconds(first) == pytest.approx(profile.decode_step_s(17, 20_000), rel=1e-6)
    second = profile.decode_step_s(17, 20_017)
    assert seconds(first + slope) == pytest.approx(second, rel=1e-6)
    mixed = cost.mixed(17, 20_000, 500, 500 * (2 * 1000 + 500))
    want = profile.mixed_step_s(17, 20_000, 500, 500 * (1000 + 250))
    assert seconds(mixed) == pytest.approx(want, rel=1e-6)
