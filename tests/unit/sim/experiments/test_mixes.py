"""Does a mix ask for what it says, scaled by the fleet's size, with promises for every class?"""

import pytest

from flyball.sim.experiments.mixes import (
    CLASSES,
    MIXES,
    PATIENCE_S,
    budget_usd_per_hour,
    classes,
    workload,
)


@pytest.mark.parametrize("name", MIXES)
def test_every_class_has_a_promise_and_patience(name: str) -> None:
    for klass in MIXES[name].classes:
        assert CLASSES[klass]["ttft_ms"] / 1e3 < PATIENCE_S[klass]


def test_rates_grow_with_the_fleet() -> None:
    one, two = (workload(MIXES["agents"], size, 1.0) for size in (1.0, 2.0))
    assert two["generate"]["rate"] == 2 * one["generate"]["rate"]
    assert two["programs"]["coder"]["standing"] == 2 * one["programs"]["coder"]["standing"]


def test_only_classes_of_the_mix_are_bound_to_jurisdictions() -> None:
    made = classes(MIXES["agents"], {"fixer": ("EU",), "dialog": ("EU",)})
    assert list(made) == ["chat", "coder", "fixer"]
    assert made["fixer"]["jurisdictions"] == ("EU",)
    assert made["chat"]["jurisdictions"] == ()
    assert "jurisdictions" not in CLASSES["fixer"]


def test_a_budget_grows_with_the_load_and_is_none_where_the_bill_is_not_known() -> None:
    known = MIXES["agents"]
    assert budget_usd_per_hour(known, 1.0, 1.0) > known.spend_usd_per_hour
    assert budget_usd_per_hour(known, 1.4, 2.0) == 2.8 * budget_usd_per_hour(known, 1.0, 1.0)
    assert budget_usd_per_hour(MIXES["chat"], 1.0, 1.0) == 0.0


def test_a_call_is_held_for_a_share_of_its_promised_first_token() -> None:
    made = classes(MIXES["agents"], {}, hold_ratio=0.5)
    assert made["chat"]["queue_ms_max"] == 500.0
    assert made["coder"]["queue_ms_max"] == 2000.0
    assert classes(MIXES["agents"], {})["chat"]["queue_ms_max"] == 0.0
