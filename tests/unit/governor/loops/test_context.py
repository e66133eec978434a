"""Does the sign guard let cutting go on only while it is shown to save, repeats included?"""

import random
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.loops.context import (
    AMPLITUDE,
    CONTEXT,
    GAIN_MIN,
    LESS,
    MORE,
    NO_ARM,
    STEP,
    ContextLoop,
)

SPENT, SAVED = 1.0, 0.08


def probed(less: int, more: int, broken_less: int = 0, broken_more: int = 0) -> ContextLoop:
    loop = ContextLoop()
    for arm, count, broken in ((LESS, less, broken_less), (MORE, more, broken_more)):
        for _ in range(count):
            loop.note_answered(arm, SPENT, SAVED)
        for _ in range(broken):
            loop.note_repeat(arm)
    return loop


@given(
    draw=st.floats(0.0, 1.0, exclude_max=True),
    probe_ratio=st.floats(0.0, 1.0),
    ratio=st.floats(CONTEXT.limit_low, 1.0),
)
def test_a_kept_share_stays_a_share(draw: float, probe_ratio: float, ratio: float) -> None:
    loop = ContextLoop()
    loop.ratio = ratio
    kept = loop.ratio_of(loop.arm(draw, probe_ratio))
    assert CONTEXT.limit_low - 2.0 * AMPLITUDE <= kept <= 1.0 + 1e-12


def test_arms_are_equally_likely_and_rare() -> None:
    loop = ContextLoop()
    arms = [loop.arm(i / 1000.0, 0.1) for i in range(1000)]
    assert (arms.count(LESS), arms.count(MORE), arms.count(NO_ARM)) == (50, 50, 900)
    assert loop.arm(0.0, 0.0) == NO_ARM


def test_an_uncut_set_point_still_has_two_arms() -> None:
    loop = ContextLoop()
    assert loop.ratio_of(NO_ARM) == 1.0
    assert loop.ratio_of(MORE) == pytest.approx(1.0)
    assert loop.ratio_of(LESS) == pytest.approx(1.0 - 2.0 * AMPLITUDE)


def test_nothing_is_known_from_few_probes() -> None:
    assert probed(49, 500).effect().gain_low == -inf
    assert probed(500, 49).effect().gain_low == -inf


def test_the_gain_is_the_share_of_the_saving_left_after_repeats() -> None:
    effect = probed(1000, 1000, 50, 30).effect()
    # d = 0.08 of s; dr = 0.02; r = 0.04: gain = 1 - 0.02 / 0.08 / 0.96.
    assert effect.gain == pytest.approx(1.0 - 0.25 / 0.96, abs=2e-3)
    assert effect.gain_low < effect.gain
    assert effect.breaks == pytest.approx(0.02 / (2.0 * AMPLITUDE))


def test_the_bound_tightens_with_the_root_of_the_probes() -> None:
    few, many = probed(200, 200, 6, 6).effect(), probed(3200, 3200, 96, 96).effect()
    assert few.gain - few.gain_low == pytest.approx(4.0 * (many.gain - many.gain_low), rel=0.1)


def test_it_cuts_further_only_where_the_price_asks_and_the_bound_allows() -> None:
    loop = probed(2000, 2000, 20, 20)
    assert loop.wish(loop.effect())[0] == 1.0  # nobody asks
    loop.note_eligible(0.001)
    assert loop.effect().gain_low >= GAIN_MIN
    assert loop.wish(loop.effect())[0] == pytest.approx(1.0 - STEP)


def test_it_freezes_where_too_little_of_the_saving_is_left() -> None:
    loop = probed(4000, 4000, 180, 60)
    loop.ratio = 0.8
    loop.note_eligible(0.001)
    effect = loop.effect()
    assert 0.0 < effect.gain_low < GAIN_MIN
    ratio, why = loop.wish(effect)
    assert ratio == 0.8
    assert why.startswith("frozen")


def test_it_gives_back_where_cutting_costs() -> None:
    loop = probed(2000, 2000, 300, 60)
    loop.ratio = 0.8
    loop.note_eligible(0.001)
    ratio, why = loop.wish(loop.effect())
    assert ratio == pytest.approx(0.8 + STEP)
    assert why.startswith("not shown to save")


def test_it_never_goes_below_its_limit() -> None:
    loop = probed(4000, 4000)
    loop.ratio = CONTEXT.limit_low
    loop.note_eligible(1.0)
    assert loop.wish(loop.effect())[0] == CONTEXT.limit_low


def test_old_probes_fade_and_a_period_begins_anew() -> None:
    loop = probed(100, 100)
    assert loop.is_due(0.0)
    loop.turn(0.0)
    assert not loop.is_due(29.9)
    assert loop.is_due(30.0)
    assert loop.effect().gain_low > -inf
    loop.turn(4000.0)
    assert loop.effect().gain_low == -inf


@pytest.mark.parametrize("harm", [0.0, 0.05, 0.6])
def test_the_interval_covers_the_truth(harm: float) -> None:
    """r = 0.03 + harm * cut share: the lower bound lies below the true gain in 95 % of trials."""
    seed = 20_261
    rng = random.Random(seed)
    less_r = 0.03 + harm * 2.0 * AMPLITUDE
    true_gain = 1.0 - (SPENT / SAVED) * (less_r - 0.03) / (1.0 - 0.5 * (less_r + 0.03))
    below = 0
    for _ in range(300):
        broken = [sum(rng.random() < r for _ in range(400)) for r in (less_r, 0.03)]
        below += probed(400, 400, broken[0], broken[1]).effect().gain_low <= true_gain
    assert below >= 0.92 * 300, f"seed {seed}: {below} of 300"
