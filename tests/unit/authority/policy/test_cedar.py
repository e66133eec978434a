"""Is a decision a no wherever a policy says no or errs, and is the mask never narrower than it?"""

from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.authority.policy import cedar
from flyball.authority.policy.cedar import CedarAuthority, CedarLibrary
from flyball.authority.policy.policies import PolicyErrors, PolicySet
from flyball.authority.policy.question import (
    dynamic_facts,
    live,
    request,
    static_facts,
    with_pool,
)
from flyball.governor.authority import Open
from flyball.model.verdict import Circumstances, Place, Subject
from support import policies
from support.policies import PERMIT, approval, circumstances, place, policy_set, subject


def authority(*texts: str) -> CedarAuthority:
    return CedarAuthority(
        tuple(policy_set(text, digest=f"d{i or ''}") for i, text in enumerate(texts))
    )


def drawn(texts: list[str]) -> PolicySet | None:
    try:
        return policy_set("\n".join(texts), digest="d")
    except PolicyErrors:  # a scope that no action can meet, say
        return None


@settings(max_examples=250, deadline=None)
@given(
    st.lists(policies.ANY_POLICIES, min_size=1, max_size=2),
    policies.SUBJECTS,
    policies.CIRCUMSTANCES,
    st.lists(policies.PLACES, min_size=1, max_size=4),
)
def test_what_is_allowed_is_never_masked(
    texts: list[list[str]], who: Subject, known: Circumstances, where: list[Place]
) -> None:
    sets = [drawn(text) for text in texts]
    asked = CedarAuthority(tuple(one for one in sets if one is not None) or (policy_set(PERMIT),))
    places = tuple(where)
    masked = asked.mask(who, places)
    for one, against in zip(places, masked, strict=True):
        verdict = asked.decide(who, known, one)
        assert not (verdict.allowed and against), (texts, against)
        assert not (verdict.allowed and verdict.errors)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(policies.STATIC_POLICIES, min_size=1, max_size=2),
    policies.SUBJECTS,
    policies.CIRCUMSTANCES,
    st.lists(policies.PLACES, min_size=1, max_size=4),
)
def test_static_policies_give_a_mask_equal_to_the_decision(
    texts: list[list[str]], who: Subject, known: Circumstances, where: list[Place]
) -> None:
    found = tuple(one for one in map(drawn, texts) if one is not None)
    if not found:
        return
    asked = CedarAuthority(found)
    places = tuple(where)
    allowed = [asked.decide(who, known, one).allowed for one in places]
    assert [not why for why in asked.mask(who, places)] == allowed, texts


def test_a_forbid_that_errs_denies() -> None:
    """Cedar alone would answer Allow here: the sum overflows, and it skips the policy."""
    text = (
        PERMIT
        + '@id("cap") forbid(principal, action, resource) when {context.estCostMicroUsd + 1 > 9};'
    )
    found = policy_set(text)
    known = circumstances(cost_micro_usd=2**63 - 1)
    context = static_facts(subject()) | dynamic_facts(live(known, found, ()))
    asked = request(("Agent", "scribe"), "infer", "h100-paris", context)
    raw = cedarpy.is_authorized(asked, found.handle, with_pool(found.entities, place()))
    assert raw.allowed and raw.diagnostics.errors

    verdict = CedarAuthority((found,)).decide(subject(), known, place())
    assert not verdict.allowed and verdict.policies == ()
    assert "`cap`" in verdict.errors[0] and "overflow" in verdict.errors[0]
    assert CedarAuthority((found,)).decide(subject(), circumstances(), place()).allowed


def test_a_permit_that_errs_denies_though_another_permits() -> None:
    text = PERMIT + (
        '@id("odd") permit(principal, action, resource) when { context.depth * 2 > 1 };'
    )
    asked = authority(text)
    assert not asked.decide(subject(depth=2**62), circumstances(), place()).allowed
    assert asked.mask(subject(depth=2**62), (place(),)) == ("odd",)


@pytest.mark.parametrize(
    ("who", "known", "where"),
    [
        (subject(depth=2**70), circumstances(), place()),
        (subject(purpose="\ud800"), circumstances(), place()),
        (subject(), circumstances(at=float("nan")), place()),
        (subject(), circumstances(at=float("inf")), place()),
        (subject(), circumstances(policy_age_s=float("inf")), place()),
        (subject(), circumstances(cost_micro_usd=2**70), place()),
        (subject(), circumstances(), place(network_ms_p95=2**70)),
        (subject(), circumstances(), place(tier="\ud800")),
        (subject(action="launch"), circumstances(), place()),
    ],
)
def test_what_cannot_be_asked_is_a_no(who: Subject, known: Circumstances, where: Place) -> None:
    asked = authority(PERMIT)
    verdict = asked.decide(who, known, where)
    assert not verdict.allowed and verdict.errors
    asked.mask(who, (where,))  # and no traceback there


def test_a_place_without_readable_facts_is_masked_alone() -> None:
    asked = authority(PERMIT)
    found = asked.mask(subject(), (place(), place(pool="bad", network_ms_p95=2**70)))
    assert found == ("", "its facts cannot be read")


def test_all_bundles_must_allow_and_are_named() -> None:
    site = PERMIT + (
        '@id("residency") forbid(principal, action, resource) unless'
        ' { resource in Jurisdiction::"EU" };'
    )
    workload = PERMIT.replace("base", "mine") + (
        '@id("no-edge") forbid(principal, action, resource) when { resource.tier == "edge" };'
    )
    asked = authority(workload, site)
    assert asked.digests == ("d", "d1")
    verdict = asked.decide(subject(), circumstances(), place())
    assert verdict.allowed
    assert (verdict.policies, verdict.bundles) == (("mine", "base"), ("d", "d1"))
    away = asked.decide(subject(), circumstances(), place(jurisdiction="US"))
    assert (away.allowed, away.policies) == (False, ("residency",))
    edge = asked.decide(subject(), circumstances(), place(tier="edge", jurisdiction="US"))
    assert edge.policies == ("no-edge", "residency")
    places = (place(), place(jurisdiction="US"), place(tier="edge"))
    assert asked.mask(subject(), places) == ("", "residency", "no-edge")


def test_nothing_permitted_is_a_no_without_a_policy() -> None:
    asked = authority('@id("p") permit(principal is Human, action, resource);')
    verdict = asked.decide(subject(), circumstances(), place())
    assert (verdict.allowed, verdict.policies, verdict.errors) == (False, (), ())
    assert asked.mask(subject(), (place(),)) == ("nothing permits it",)


def test_obligations_of_all_that_permit_are_joined_once() -> None:
    asked = authority(
        '@id("a") @obligation("record-before-release, notify") permit(principal, action, resource);'
        '@id("b") @obligation("notify") permit(principal, action, resource);'
    )
    verdict = asked.decide(subject(), circumstances(), place())
    assert verdict.obligations == ("record-before-release", "notify")
    other = authority('@id("a") @obligation("x") permit(principal is Human, action, resource);')
    assert other.decide(subject(), circumstances(), place()).obligations == ()


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, True),
        ({"digest": "other"}, False),
        ({"expires_at": policies.AT}, False),
        ({"by": "bob"}, False),
    ],
)
def test_an_approval_counts_while_it_lives_for_this_policy(
    changes: dict[str, Any], allowed: bool
) -> None:
    asked = authority(
        '@id("a") permit(principal, action, resource)'
        ' when { context.approvedInRoles.contains(Role::"budget") };'
    )
    given = approval(**({"digest": "d"} | changes))
    assert asked.decide(subject(), circumstances(), place()).allowed is False
    assert asked.decide(subject(), circumstances(approvals=(given,)), place()).allowed is allowed
    assert asked.mask(subject(), (place(),)) == ("",)


def test_two_people_are_two_people() -> None:
    asked = authority('@id("a") permit(principal, action, resource) when {context.approvals > 1};')
    twice = (approval(digest="d"), approval(digest="d", id="again"))
    assert not asked.decide(subject(), circumstances(approvals=twice), place()).allowed
    both = (approval(digest="d"), approval("dan", "d"))
    assert asked.decide(subject(), circumstances(approvals=both), place()).allowed


def test_verdicts_are_kept_by_what_their_conditions_come_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    real = cedar.ask

    def counted(*args: Any) -> Any:
        calls.append(args[2].action)
        return real(*args)

    monkeypatch.setattr(cedar, "ask", counted)
    asked = authority(
        PERMIT + '@id("cap") forbid(principal, action == Action::"toolCall", resource)'
        " when { context.estCostMicroUsd > 4 };"
        '@id("late") forbid(principal, action == Action::"retry", resource)'
        ' when { context.now > datetime("2030-01-01") };'
    )
    for cost in (1, 9, 2, 8):
        known = circumstances(at=policies.AT + cost, cost_micro_usd=cost)
        assert asked.decide(subject(), known, place()).allowed
        assert asked.decide(subject(action="toolCall"), known, place()).allowed == (cost < 5)
        assert asked.decide(subject(action="retry"), known, place()).allowed
    assert (calls.count("infer"), calls.count("toolCall"), calls.count("retry")) == (1, 2, 4)


@settings(max_examples=150, deadline=None)
@given(
    policies.ANY_POLICIES,
    st.lists(
        st.tuples(policies.SUBJECTS, policies.CIRCUMSTANCES, policies.PLACES),
        min_size=2,
        max_size=6,
    ),
)
def test_what_was_asked_before_changes_no_answer(
    texts: list[str], asked: list[tuple[Subject, Circumstances, Place]]
) -> None:
    found = drawn(texts)
    if found is None:
        return
    kept = CedarAuthority((found,))
    who, _, where = asked[0]
    for _, known, _ in asked:  # the same question in other circumstances
        assert kept.decide(who, known, where) == CedarAuthority((found,)).decide(who, known, where)
    for one in asked:
        assert kept.decide(*one) == CedarAuthority((found,)).decide(*one)


def test_a_mask_is_kept_for_equal_places() -> None:
    asked = authority(PERMIT)
    first, second = (place(),), (place(),)
    found = asked.mask(subject(), first)
    assert asked.mask(subject(), second) is found
    assert asked.mask(subject(), second) is found
    assert asked.mask(subject(), (place(tier="edge"),)) is not found
    for number in range(20):  # bounded: older boards make room
        asked.mask(subject(), (place(pool=f"p{number}"),))
    assert asked.mask(subject(), first) == ("",)


def test_a_library_joins_what_it_has() -> None:
    one = policy_set(PERMIT, digest="sha256:1")
    library = CedarLibrary({"sha256:1": one})
    assert isinstance(library.authority(()), Open)
    found = library.authority(("sha256:1",))
    assert found is not None and found.digests == ("sha256:1",)
    assert library.authority(("sha256:1",)) is found
    assert library.authority(("sha256:1", "sha256:2")) is None
