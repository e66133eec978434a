"""Do the sections of what is granted cover the nouns, with their own defaults and bounds?"""

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from flyball.model.request import ContextRule, ModelTier, OutputRule
from flyball.serve.config.grants import ContextSection, OutputSection, TierSection


@pytest.mark.parametrize(
    ("section", "noun"), [(ContextSection, ContextRule), (OutputSection, OutputRule)]
)
def test_a_section_says_what_the_core_reads(section: type[Struct], noun: type[Struct]) -> None:
    assert msgspec.convert(section(), noun, from_attributes=True) == noun()


def test_a_tier_has_a_model_and_a_worth() -> None:
    tier = msgspec.convert({"model": "small", "value_ratio": 0.4}, TierSection)
    wanted = ModelTier(model="small", value_ratio=0.4)
    assert msgspec.convert(tier, ModelTier, from_attributes=True) == wanted


@pytest.mark.parametrize(
    ("section", "data"),
    [
        (ContextSection, {"tokens_min": 0}),
        (ContextSection, {"probe_ratio": 1.5}),
        (ContextSection, {"truncate": True}),
        (OutputSection, {"tokens_max": -1}),
        (TierSection, {"model": "", "value_ratio": 1.0}),
        (TierSection, {"model": "m", "value_ratio": 2.0}),
    ],
)
def test_what_makes_no_sense_is_refused(section: type[Struct], data: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(data, section)
