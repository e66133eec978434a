"""Do sets of outcomes follow Cedar's evaluation from the left, for one pool and for many?"""

from itertools import product
from typing import Any

import numpy as np
import pytest
from cedarpy import policies_to_pst

from flyball.authority.policy.facts import condition, leaves
from flyball.authority.policy.leaf import (
    ANY,
    ERRS,
    FAILS,
    HOLDS,
    both,
    chosen,
    either,
    outcome,
    outcomes,
    probe,
    turned,
)
from flyball.authority.policy.question import request, with_pool
from support.policies import PERMIT, place, policy_set

SINGLE = (HOLDS, FAILS, ERRS)
ALL_SETS = range(1, 8)


def members(found: int) -> list[int]:
    return [one for one in SINGLE if found & one]


def test_one_outcome_each() -> None:
    assert [both(HOLDS, x) for x in SINGLE] == list(SINGLE)
    assert [both(FAILS, x) for x in SINGLE] == [FAILS] * 3
    assert [both(ERRS, x) for x in SINGLE] == [ERRS] * 3
    assert [either(HOLDS, x) for x in SINGLE] == [HOLDS] * 3
    assert [either(FAILS, x) for x in SINGLE] == list(SINGLE)
    assert [either(ERRS, x) for x in SINGLE] == [ERRS] * 3
    assert [turned(x) for x in SINGLE] == [FAILS, HOLDS, ERRS]
    assert chosen(HOLDS, FAILS, ERRS) == FAILS
    assert chosen(FAILS, FAILS, ERRS) == ERRS
    assert chosen(ERRS, HOLDS, HOLDS) == ERRS


@pytest.mark.parametrize("join", [both, either])
def test_a_set_has_the_outcomes_of_its_members(join: Any) -> None:
    for left, right in product(ALL_SETS, ALL_SETS):
        wanted = 0
        for a, b in product(members(left), members(right)):
            wanted |= join(a, b)
        assert join(left, right) == wanted


def test_many_at_once_are_as_one_by_one() -> None:
    left, right = (
        np.array(one, np.uint8) for one in zip(*product(ALL_SETS, ALL_SETS), strict=True)
    )
    assert list(both(left, right)) == [
        both(int(a), int(b)) for a, b in zip(left, right, strict=True)
    ]
    assert list(either(left, right)) == [
        either(int(a), int(b)) for a, b in zip(left, right, strict=True)
    ]
    assert list(turned(left)) == [turned(int(a)) for a in left]
    assert list(chosen(left, right, ANY)) == [
        chosen(int(a), int(b), ANY) for a, b in zip(left, right, strict=True)
    ]


def test_no_leaf_is_asked_for_in_vain() -> None:
    text = "permit(principal, action, resource) when { context.depth > 1 && context.depth > 2 };"
    whole = condition(policies_to_pst(text).static_policies["policy0"])
    first, second = leaves(whole)
    seen: list[Any] = []

    def of_leaf(leaf: Any) -> int:
        seen.append(leaf)
        return FAILS

    assert outcomes(whole, of_leaf) == FAILS
    assert seen == [first] and second not in seen


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("context.depth > 1", HOLDS),
        ("context.depth > 9", FAILS),
        ("context.gone > 9", ERRS),
        ("context.depth * 9223372036854775807 > 1", ERRS),
    ],
)
def test_a_probe_is_asked(text: str, wanted: int) -> None:
    parsed = policies_to_pst(f"forbid(principal, action, resource) when {{ {text} }};")
    (leaf,) = leaves(condition(parsed.static_policies["policy0"]))
    entities = with_pool(policy_set(PERMIT).entities, place())
    asked = request(("Agent", "a"), "infer", "h100-paris", {"depth": 2})
    assert outcome(probe(leaf), entities, asked) == wanted
