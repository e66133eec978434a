"""Is every fact that a policy reads found, and nothing static called dynamic or the other way?"""

import pytest
from cedarpy import policies_to_pst

from flyball.authority.policy.facts import Reads, applies, condition, leaves, reads


def of(when: str, scope: str = "principal, action, resource") -> Reads:
    parsed = policies_to_pst(f"permit({scope}) when {{ {when} }};")
    return reads(parsed.static_policies["policy0"])


@pytest.mark.parametrize(
    ("when", "wanted"),
    [
        ("context.dataClass == \"x\"", Reads(context=frozenset({"dataClass"}))),
        ("context has human", Reads(context=frozenset({"human"}))),
        ("resource.tier == \"x\"", Reads(resource=frozenset({"tier"}))),
        ("resource has tier", Reads(resource=frozenset({"tier"}))),
        ("resource in context.dataHome", Reads(parents=True, context=frozenset({"dataHome"}))),
        ('resource in Jurisdiction::"EU"', Reads(parents=True)),
        ('resource in [Jurisdiction::"EU", Jurisdiction::"NO"]', Reads(parents=True)),
        ('resource in [Jurisdiction::"EU", Pool::"a"]', Reads(parents=True, pool=True)),
        ('resource is Pool in Jurisdiction::"EU"', Reads(parents=True)),
        ("resource is Pool", Reads()),
        ('resource == Pool::"a"', Reads(pool=True)),
        ('Pool::"a" == resource', Reads(place=True)),
        ("[resource].contains(resource)", Reads(place=True)),
        ('(if true then resource else resource).tier == "x"', Reads(place=True)),
        ('Pool::"a".tier == "x"', Reads(place=True)),
        ("principal is Loop", Reads(principal=1)),
        ('principal is Agent in Role::"r"', Reads(principal=2)),
        ('principal == Human::"x"', Reads(principal=2)),
        ('action in Action::"adjust"', Reads(action=True)),
        ("context.model has evalTier", Reads(context=frozenset({"model"}))),
        ("context.model.evalTier > 1", Reads(context=frozenset({"model"}))),
        ("context == {a: 1}", Reads(whole_context=True)),
        ("{a: context.depth}.a == 1", Reads(context=frozenset({"depth"}))),
        ('[context.depth, 1].contains(1) || "a" like "b*"', Reads(context=frozenset({"depth"}))),
    ],
)  # fmt: skip
def test_what_is_read(when: str, wanted: Reads) -> None:
    assert of(when) == wanted


def test_scopes_are_conditions_too() -> None:
    found = of("true", 'principal is Agent, action == Action::"infer", resource == Pool::"a"')
    assert found == Reads(principal=1, action=True, pool=True)
    found = of("true", 'principal in Role::"r", action in [Action::"infer"], resource is Pool')
    assert found == Reads(principal=2, action=True)
    found = of(
        "true", 'principal is Agent in Role::"r", action, resource is Pool in Jurisdiction::"EU"'
    )
    assert found == Reads(principal=2, parents=True)


@pytest.mark.parametrize(
    ("when", "dynamic"),
    [
        ("context.estCostMicroUsd > 1", {"estCostMicroUsd"}),
        ("context has budgetLeftMicroUsd", {"budgetLeftMicroUsd"}),
        ('context.now > datetime("2026-01-01") && context.depth > 1', {"now"}),
        ("context.approvedBy.isEmpty()", {"approvedBy"}),
        ("context.dataClass == context.purpose", set()),
    ],
)
def test_what_differs_each_time(when: str, dynamic: set[str]) -> None:
    assert of(when).dynamic == dynamic
    assert of(when).is_static == (not dynamic)


def test_the_whole_context_is_dynamic() -> None:
    assert not of("context == context").is_static


def test_clauses_are_taken_apart_in_their_order() -> None:
    text = (
        "forbid(principal is Loop, action, resource) when { context.depth > 1 &&"
        " !(context.depth > 2 || context.depth > 3) }"
        " unless { if context.depth > 4 then context.depth > 5 else false };"
    )
    found = list(leaves(condition(policies_to_pst(text).static_policies["policy0"])))
    assert len(found) == 7


@pytest.mark.parametrize(
    ("scope", "actions"),
    [
        ("action", {"infer", "retry"}),
        ('action == Action::"infer"', {"infer"}),
        ('action in [Action::"retry", Action::"cap"]', {"retry"}),
        ('action in Action::"adjust"', {"retry"}),
    ],
)
def test_which_actions_a_policy_is_about(scope: str, actions: set[str]) -> None:
    parsed = policies_to_pst(f"permit(principal, {scope}, resource);")
    node = parsed.static_policies["policy0"]
    assert {name for name in ("infer", "retry") if applies(node, name)} == actions
