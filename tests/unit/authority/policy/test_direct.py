"""Is what is told without Cedar what Cedar tells, errors included?"""

import pytest
from cedarpy import policies_to_pst
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.authority.policy.direct import direct
from flyball.authority.policy.facts import Leaf, condition, leaves
from flyball.authority.policy.leaf import outcome, probe
from flyball.authority.policy.question import (
    dynamic_facts,
    live,
    principal_of,
    request,
    static_facts,
    with_pool,
)
from flyball.authority.policy.schema import schema
from flyball.model.verdict import Circumstances, Place, Subject
from support import policies
from support.policies import PERMIT, policy_set

SET = policy_set(PERMIT, digest="d")

LONGS = st.recursive(
    st.sampled_from(
        (
            "context.depth", "context.latencyClassMs", "resource.networkMsP95",
            "context.retryDepth",
            "context.estCostMicroUsd", "context.budgetLeftMicroUsd", "context.approvals",
            "0", "2", "10", "4611686018427387904",
        )
    ),
    lambda inner: st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} - {})".format, inner, inner),
        st.builds("({} * {})".format, inner, inner),
        st.builds("(-({}))".format, inner),
    ),
    max_leaves=4,
)  # fmt: skip
STRINGS = st.sampled_from(
    ("context.dataClass", "context.transferBasis", "resource.tier", '"edge"', '"personal"', '"scc"')
)
LEAVES = st.one_of(
    st.builds(
        "({} {} {})".format, LONGS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), LONGS
    ),
    st.builds("({} {} {})".format, STRINGS, st.sampled_from(["==", "!="]), STRINGS),
    st.builds("[{}, {}].contains({})".format, STRINGS, STRINGS, STRINGS),
    st.builds("[{}, {}].contains({})".format, LONGS, LONGS, LONGS),
    st.sampled_from(["context has transferBasis", "context has human", "context has depth"]),
    st.just("context has budgetLeftMicroUsd"),
    st.builds("resource.certificates.contains({})".format, STRINGS | st.just('"iso27001"')),
)


def leaf_of(text: str) -> Leaf:
    parsed = policies_to_pst(f"permit(principal, action, resource) when {{ {text} }};")
    (found,) = leaves(condition(parsed.static_policies["policy0"]))
    return found


@settings(max_examples=600, deadline=None)
@given(LEAVES, policies.SUBJECTS, policies.CIRCUMSTANCES, policies.PLACES)
def test_it_agrees_with_cedar(text: str, who: Subject, known: Circumstances, where: Place) -> None:
    leaf = leaf_of(text)
    tell = direct(leaf)
    if tell is None:
        assert text == "context has depth"
        return
    now = live(known, SET, ("d",))
    context = static_facts(who) | dynamic_facts(now)
    asked = request(principal_of(who), who.action, where.pool, context)
    said = outcome(probe(leaf), with_pool(SET.entities, where), asked, schema())
    assert tell(who, now, where) == said, text


@pytest.mark.parametrize(
    "text",
    [
        "resource in context.dataHome",
        "principal is Loop",
        'context.now > datetime("2026-01-01")',
        'context.approvedInRoles.contains(Role::"budget")',
        'resource.tier like "e*"',
        "context.depth == context.dataClass",
        'context.model in ModelFamily::"approved"',
    ],
)
def test_all_else_is_left_to_cedar(text: str) -> None:
    assert direct(leaf_of(text)) is None
