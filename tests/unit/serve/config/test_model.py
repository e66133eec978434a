"""Does the file's model cover the core's settings, with the core's own defaults?"""

import msgspec
import pytest
from msgspec import Struct

from flyball.governor.policy import Policy, Pricing, Resilience
from flyball.model.request import Principal, RequestClass
from flyball.serve.config import model
from flyball.serve.config.build import in_seconds
from flyball.serve.config.contracts import ContractSection
from flyball.serve.config.limits import Limits


@pytest.mark.parametrize(
    ("section", "noun", "apart"),
    [
        (model.PricingSection(), Pricing, {"tick_s"}),
        (model.ResilienceSection(), Resilience, set()),
        (model.LimitsSection(), Limits, set()),
    ],
)
def test_sections_have_every_field_of_the_core_and_its_default(
    section: Struct, noun: type[Struct], apart: set[str]
) -> None:
    values = {key: value for key, value in in_seconds(section).items() if key not in apart}
    assert values == pytest.approx(msgspec.structs.asdict(noun()))


def test_classes_and_principals_cover_the_nouns() -> None:
    fields = set(in_seconds(model.ClassSection())) | {"name", "promise"}
    fields |= set(in_seconds(ContractSection()))
    apart = {"ttft_s", "tpot_s", "e2e_s", "contract"}
    assert fields - apart == set(RequestClass.__struct_fields__)
    mine = set(model.PrincipalSection.__struct_fields__) | {"name"}
    assert mine - {"key", "key_env"} == set(Principal.__struct_fields__)


def test_the_period_is_the_core_s() -> None:
    tick_ms = model.PricingSection().tick_ms
    assert tick_ms == pytest.approx(Policy(classes=()).tick_s * 1000)


def sections() -> list[type[Struct]]:
    return [
        found
        for found in vars(model).values()
        if isinstance(found, type)
        and issubclass(found, Struct)
        and found.__module__ == model.__name__
    ]


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_key_says_what_it_means(section: type[Struct]) -> None:
    _, parts = msgspec.json.schema_components([section])
    about = parts.get(section.__name__, {"properties": {}})
    assert section.__doc__
    for key, node in about["properties"].items():
        assert node.get("description"), f"{section.__name__}.{key}"
