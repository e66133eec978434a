"""Does one leaf of a policy's condition hold, for given facts? (Cedar itself says.)

Outcomes are sets, as bits: HOLDS, FAILS, ERRS. A leaf whose facts are known has one of them; one
that reads what is not known yet may have any. `&&`, `||`, `!` and `if` on such sets give every
outcome that Cedar could come to, as Cedar evaluates them from the left; on numpy arrays, for many
pools at once.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flyball.authority.policy.facts import All, Any_, Condition, If, Leaf, Not

if TYPE_CHECKING:
    from cedarpy import Entities, PolicySet, Schema

HOLDS, FAILS, ERRS = 1, 2, 4
ANY = HOLDS | FAILS | ERRS

Outcomes = int | NDArray[np.integer[Any]]


def probe(leaf: Leaf) -> "PolicySet":
    """A policy set that allows exactly where the leaf holds."""
    from cedarpy import PolicySet, pst

    anything = pst.ScopeAny()
    policy = pst.Template(
        "policy0", "permit", anything, anything, anything, (pst.When(leaf.expr),), pst.FrozenMap()
    )
    whole = pst.PolicySet(pst.FrozenMap(), pst.FrozenMap({"policy0": policy}), ())
    return PolicySet.from_pst(whole)


def outcome(
    policy: "PolicySet",
    entities: "Entities",
    asked: dict[str, Any],
    schema: "Schema | None" = None,
) -> int:
    """What a probe comes to for a request. Without a schema its values must be explicit."""
    from cedarpy import is_authorized

    found = is_authorized(asked, policy, entities, schema)
    if found.diagnostics.errors:
        return ERRS
    return HOLDS if found.allowed else FAILS


def both(left: Outcomes, right: Outcomes) -> Outcomes:
    """`left && right`: the right one counts only where the left one may hold."""
    return (left & (FAILS | ERRS)) | (right * (left & HOLDS))


def either(left: Outcomes, right: Outcomes) -> Outcomes:
    """`left || right`: the right one counts only where the left one may fail."""
    return (left & (HOLDS | ERRS)) | (right * ((left >> 1) & 1))


def turned(arg: Outcomes) -> Outcomes:
    """`!arg`."""
    return ((arg & HOLDS) << 1) | ((arg >> 1) & 1) | (arg & ERRS)


def chosen(test: Outcomes, then: Outcomes, otherwise: Outcomes) -> Outcomes:
    """`if test then … else …`."""
    return (test & ERRS) | (then * (test & HOLDS)) | (otherwise * ((test >> 1) & 1))


def outcomes(part: Condition, of_leaf: Any) -> Outcomes:
    """Of a whole condition; `of_leaf` gives those of a leaf, asked for no more than needed."""
    match part:
        case Leaf():
            return of_leaf(part)
        case Not():
            return turned(outcomes(part.arg, of_leaf))
        case All():
            found: Outcomes = HOLDS
            for one in part.parts:
                if not _may(found, HOLDS):
                    break
                found = both(found, outcomes(one, of_leaf))
            return found
        case Any_():
            found = FAILS
            for one in part.parts:
                if not _may(found, FAILS):
                    break
                found = either(found, outcomes(one, of_leaf))
            return found
        case If():
            test = outcomes(part.test, of_leaf)
            then = outcomes(part.then, of_leaf) if _may(test, HOLDS) else 0
            otherwise = outcomes(part.otherwise, of_leaf) if _may(test, FAILS) else 0
            return chosen(test, then, otherwise)


def _may(found: Outcomes, bit: int) -> bool:
    return bool(found & bit) if isinstance(found, int) else bool((found & bit).any())
