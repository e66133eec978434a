"""Are the constants that a search may set those that the cores have, and ranges what they say?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from flyball.governor.policy import Pricing
from flyball.sim.experiments.contestants import (
    DEFAULTS,
    GOVERNOR_SPACES,
    RIVAL_SPACES,
    Range,
)
from flyball.sim.rivals.constants import constants


@pytest.mark.parametrize("core", RIVAL_SPACES)
def test_a_search_sets_only_what_a_rival_has_and_round_its_default(core: str) -> None:
    defaults = constants(core)
    for name, one in RIVAL_SPACES[core].items():
        assert one.low <= defaults[name] <= one.high


def test_the_governor_is_searched_round_its_defaults_too() -> None:
    defaults = {field.name: field.default for field in fields(Pricing)}
    searched = dict(GOVERNOR_SPACES["governor"])
    assert searched.pop("hold_ratio").high < 1.0  # of a class, not of the prices
    for name, one in searched.items():
        assert one.low <= defaults[name] <= one.high


@given(st.floats(0.01, 10.0), st.floats(1.01, 100.0), st.floats(0.0, 1.0), st.booleans())
def test_a_range_s_values_lie_inside_it(low: float, ratio: float, at: float, is_log: bool) -> None:
    one = Range(low=low, high=low * ratio, is_log=is_log)
    assert one.low * 0.99 <= one.at(at) <= one.high * 1.01
    assert one.at(0.0) == pytest.approx(one.low, rel=0.01)
    assert one.at(1.0) == pytest.approx(one.high, rel=0.01)


def test_a_default_changes_nothing() -> None:
    for one in DEFAULTS.values():
        section = one.section(100.0)
        assert section["tuned"] == {} == section["policy"]["pricing"]
        assert section["loops"]["budget_usd_per_hour"] == (100.0 if one.truncation else 0.0)
