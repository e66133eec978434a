"""Does Cedar see each fact as the schema says, and is what has no form refused?"""

import json
from typing import Any

import pytest
from cedarpy import Entities

from flyball.authority.policy.question import (
    PLACES_KEPT,
    PoolEntities,
    Unaskable,
    are_numbers_askable,
    are_plain,
    dynamic_facts,
    live,
    principal_of,
    request,
    static_facts,
    with_pool,
)
from flyball.authority.policy.schema import schema
from support.policies import AT, PERMIT, approval, circumstances, place, policy_set, subject

SET = policy_set(PERMIT, digest="d")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, ("Agent", "scribe")),
        ({"principal": "bob"}, ("Human", "bob")),
        ({"human": ""}, ("Key", "scribe")),
        ({"loop": "router"}, ("Loop", "router")),
        ({"loop": "router", "human": ""}, ("Loop", "router")),
    ],
)
def test_who_acts(changes: dict[str, Any], wanted: tuple[str, str]) -> None:
    assert principal_of(subject(**changes)) == wanted


def test_what_is_not_known_is_not_there() -> None:
    found = static_facts(subject(human=""))
    assert "human" not in found and "transferBasis" not in found
    assert found["dataHome"] == {"__entity": {"type": "Jurisdiction", "id": ""}}
    now = dynamic_facts(live(circumstances(), SET, ("d",)))
    assert "budgetLeftMicroUsd" not in now
    kept = dynamic_facts(live(circumstances(has_budget=True), SET, ("d",)))
    assert kept["budgetLeftMicroUsd"] == 0


def test_times() -> None:
    now = dynamic_facts(live(circumstances(at=1_767_225_600.0009, policy_age_s=1.5), SET, ()))
    assert (now["now"], now["policyAge"]) == ("2026-01-01T00:00:00.001Z", "1500ms")
    for at in (-1.0, float("nan"), float("inf"), 1e12):
        with pytest.raises(Unaskable):
            dynamic_facts(live(circumstances(at=at), SET, ()))


def test_approvals_that_hold_and_their_roles() -> None:
    given = (approval(digest="d"), approval("dan", "other"), approval("eve", "d", expires_at=AT))
    found = live(circumstances(approvals=given), SET, ("d",))
    assert (found.approvers, found.roles) == (("carol",), ("budget",))


def test_a_request_conforms_to_the_schema() -> None:
    import cedarpy

    context = static_facts(subject(transfer_basis="scc")) | dynamic_facts(
        live(circumstances(has_budget=True, approvals=(approval(digest="d"),)), SET, ("d",))
    )
    for name in context:
        text = f"permit(principal, action, resource) when {{ context has {name} }};"
        asked = request(("Agent", "scribe"), "infer", "h100-paris", context)
        entities = with_pool(SET.entities, place(certificates=("iso27001",)))
        assert cedarpy.is_authorized(asked, text, entities, schema()).allowed, name


def test_a_pool_conforms_to_the_schema() -> None:
    found = with_pool(SET.entities, place(certificates=("a", "b"), network_ms_p95=3))
    shown = [one for one in json.loads(str(found)) if one["uid"]["type"] == "Pool"]
    Entities.from_json_str(json.dumps(shown), schema())
    assert shown[0]["attrs"]["networkMsP95"] == 3
    unknown = with_pool(SET.entities, place(jurisdiction=""))
    shown = [one for one in json.loads(str(unknown)) if one["uid"]["type"] == "Pool"]
    assert shown[0]["parents"] == []


def test_pools_are_kept_and_bounded() -> None:
    pools = PoolEntities(SET.entities)
    first = pools.of(place())
    assert pools.of(place()) is first
    with pytest.raises(Unaskable, match="the facts of pool 'h100-paris' cannot be read"):
        pools.of(place(network_ms_p95=2**64))
    for number in range(PLACES_KEPT):
        pools.of(place(pool=f"p{number}"))
    assert pools.of(place()) is not first


def test_what_has_no_form() -> None:
    with pytest.raises(Unaskable, match="not Unicode"):
        request(("Key", "k"), "infer", "p", {"purpose": "\ud800"})
    assert are_numbers_askable(subject(depth=2**63 - 1))
    assert not are_numbers_askable(subject(depth=2**63))
    assert are_plain(circumstances())
    for changes in (
        {"at": float("nan")}, {"policy_age_s": -1.0}, {"cost_micro_usd": 2**63},
        {"budget_left_micro_usd": -(2**64)}, {"hops": -1}, {"retry_depth": 2**63},
    ):  # fmt: skip
        assert not are_plain(circumstances(**changes)), changes
