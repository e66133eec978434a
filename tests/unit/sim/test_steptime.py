"""Do femtoseconds keep the order of instants, and does a step cost what the profile says?"""

import math

import pytest
from msgspec.structs import replace

from flyball.dialects.profiles import catalogue
from flyball.model.profile import StepCost
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


def test_a_curve_bends_both_kinds_of_step() -> None:
    base = catalogue()["h100/llama-3.1-8b"]
    bent = replace(
        base,
        decode=replace(base.decode, curve=((1.0, 0.0), (9.0, 0.008))),
        mixed=replace(base.mixed, curve=((0.0, 0.001), (2048.0, -0.001))),
    )
    plain, curved = StepTime(base), StepTime(bent)
    for seqs, more in ((1, 0.0), (5, 0.004), (9, 0.008), (200, 0.008)):
        (first, slope), (before, same) = curved.decode(seqs, 900), plain.decode(seqs, 900)
        assert seconds(first - before) == pytest.approx(more, abs=1e-12)
        assert slope == same
        want = bent.decode_step_s(seqs, 900) - base.decode_step_s(seqs, 900)
        assert want == pytest.approx(more, abs=1e-12)
    middle = curved.mixed(24, 0, 1000, 0) - plain.mixed(24, 0, 1000, 0)
    assert seconds(middle) == pytest.approx(0.0, abs=1e-12)
    full = curved.mixed(48, 0, 2000, 0) - plain.mixed(48, 0, 2000, 0)
    assert seconds(full) == pytest.approx(-0.001, abs=1e-12)


@pytest.mark.parametrize(
    "curve", [((2.0, 0.0), (2.0, 1.0)), ((1.0, -0.01),)], ids=["not rising", "below nothing"]
)
def test_a_curve_that_makes_no_sense_is_refused(curve) -> None:
    with pytest.raises(ValueError, match="curve"):
        StepCost(0.005, 1e-5, 1e-8, curve=curve)
