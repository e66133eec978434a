"""What does a leaf come to that only compares numbers and texts, without asking Cedar?

Comparisons, sums and products of Longs and Strings, sets of them, and `has`: Cedar's own rules
(docs.cedarpolicy.com/policies/syntax-operators.html), held to Cedar's answers by tests. All else
is left to Cedar.
"""

import operator
from collections.abc import Callable
from typing import Any

from flyball.authority.policy.facts import Leaf
from flyball.authority.policy.leaf import ERRS, FAILS, HOLDS
from flyball.authority.policy.question import LONG_MAX, PLACE_FIELDS, SUBJECT_FIELDS, Live
from flyball.model.verdict import Place, Subject

LONG, STRING, BOOL = "Long", "String", "Bool"
LONG_MIN = -LONG_MAX - 1

# A value, or None where Cedar errs: an attribute that is not there, a sum that is no Long.
Value = Callable[[Subject, Any, Place], Any]
Typed = tuple[str, Value]

_LONGS = ("depth", "autonomy", "latencyClassMs", "networkMsP95", "costMicroUsdPerKtok")
_STRINGS = (
    "className", "actor", "tenant", "dataClass", "purpose", "transferBasis",
    "site", "tier", "accelerator", "operator",
)  # fmt: skip
_OPTIONAL = ("human", "transferBasis")
_LIVE: dict[str, Callable[[Live], Any]] = {
    "estCostMicroUsd": lambda c: c.given.cost_micro_usd,
    "budgetLeftMicroUsd": lambda c: c.given.budget_left_micro_usd if c.given.has_budget else None,
    "truncatedTokens": lambda c: c.given.truncated_tokens,
    "retryDepth": lambda c: c.given.retry_depth,
    "hops": lambda c: c.given.hops,
    "approvals": lambda c: len(c.approvers),
}
_COMPARED = {
    "less": operator.lt, "less_eq": operator.le, "greater": operator.gt,
    "greater_eq": operator.ge, "eq": operator.eq, "not_eq": operator.ne,
}  # fmt: skip
_REACHED = {"add": operator.add, "sub": operator.sub, "mul": operator.mul}


def direct(leaf: Leaf) -> Callable[[Subject, Any, Place], int] | None:
    """What tells the leaf's outcome for a subject, live circumstances (None where the leaf reads
    none of them) and a place; None where only Cedar can."""
    found = _typed(leaf.expr)
    if found is None or found[0] != BOOL:
        return None
    value = found[1]

    def come_to(subject: Subject, circumstances: Any, place: Place) -> int:
        held = value(subject, circumstances, place)
        return ERRS if held is None else HOLDS if held else FAILS

    return come_to


def _typed(expr: Any) -> Typed | None:
    """An expression's type and value."""
    from cedarpy import pst

    match expr:
        case pst.LongLit(value=number):
            return LONG, lambda s, c, p: number
        case pst.StringLit(value=text):
            return STRING, lambda s, c, p: text
        case pst.BoolLit(value=held):
            return BOOL, lambda s, c, p: held
        case pst.GetAttr(base=pst.Var(name="context"), attr=name):
            return _of_context(name)
        case pst.GetAttr(base=pst.Var(name="resource"), attr=name):
            return _of_place(name)
        case pst.HasAttr(base=pst.Var(name="context"), attrs=(name,)):
            return _has(name)
        case pst.UnaryOp(op="neg"):
            return _reached(operator.sub, (LONG, lambda s, c, p: 0), _typed(expr.arg))
        case pst.BinaryOp(op="contains", left=pst.Set(elements=elements)):
            return _contains(tuple(_typed(one) for one in elements), _typed(expr.right))
        case pst.BinaryOp(
            op="contains", left=pst.GetAttr(base=pst.Var(name="resource"), attr="certificates")
        ):
            return _certified(_typed(expr.right))
        case pst.BinaryOp(op=op) if op in _REACHED:
            return _reached(_REACHED[op], _typed(expr.left), _typed(expr.right))
        case pst.BinaryOp(op=op) if op in _COMPARED:
            return _compared(op, _typed(expr.left), _typed(expr.right))
        case _:
            return None


def _of_context(name: str) -> Typed | None:
    if name in _LIVE:
        read = _LIVE[name]
        return LONG, lambda s, c, p: _long(read(c))
    if name in SUBJECT_FIELDS and name in (*_LONGS, *_STRINGS):
        get = operator.attrgetter(SUBJECT_FIELDS[name])
        if name in _LONGS:
            return LONG, lambda s, c, p: get(s)
        if name in _OPTIONAL:
            return STRING, lambda s, c, p: get(s) or None
        return STRING, lambda s, c, p: get(s)
    return None


def _of_place(name: str) -> Typed | None:
    if name in _LONGS or name in _STRINGS:
        get = operator.attrgetter(PLACE_FIELDS[name])
        return LONG if name in _LONGS else STRING, lambda s, c, p: get(p)
    return None


def _has(name: str) -> Typed | None:
    if name == "budgetLeftMicroUsd":
        return BOOL, lambda s, c, p: c.given.has_budget
    if name in _OPTIONAL:
        get = operator.attrgetter(SUBJECT_FIELDS[name])
        return BOOL, lambda s, c, p: bool(get(s))
    return None


def _long(value: Any) -> int | None:
    return value if value is not None and LONG_MIN <= value <= LONG_MAX else None


def _reached(
    reach: Callable[[int, int], int], left: Typed | None, right: Typed | None
) -> Typed | None:
    """A sum, difference or product: an error where it is no Long."""
    if left is None or right is None or (left[0], right[0]) != (LONG, LONG):
        return None
    first, second = left[1], right[1]

    def value(s: Subject, c: Any, p: Place) -> int | None:
        a, b = first(s, c, p), second(s, c, p)
        return None if a is None or b is None else _long(reach(a, b))

    return LONG, value


def _compared(op: str, left: Typed | None, right: Typed | None) -> Typed | None:
    if left is None or right is None or left[0] != right[0]:
        return None
    if left[0] != LONG and op not in ("eq", "not_eq"):
        return None
    compare, first, second = _COMPARED[op], left[1], right[1]

    def value(s: Subject, c: Any, p: Place) -> bool | None:
        a, b = first(s, c, p), second(s, c, p)
        return None if a is None or b is None else compare(a, b)

    return BOOL, value


def _contains(elements: tuple[Typed | None, ...], sought: Typed | None) -> Typed | None:
    """`[a, b].contains(x)`: an error in any of them is one of the whole."""
    if sought is None or sought[0] == BOOL:
        return None
    values: list[Value] = []
    for one in elements:
        if one is None or one[0] != sought[0]:
            return None
        values.append(one[1])
    look = sought[1]

    def value(s: Subject, c: Any, p: Place) -> bool | None:
        found = [one(s, c, p) for one in values]
        wanted = look(s, c, p)
        return None if wanted is None or None in found else wanted in found

    return BOOL, value


def _certified(sought: Typed | None) -> Typed | None:
    """`resource.certificates.contains(x)`."""
    if sought is None or sought[0] != STRING:
        return None
    look = sought[1]

    def value(s: Subject, c: Any, p: Place) -> bool | None:
        wanted = look(s, c, p)
        return None if wanted is None else wanted in p.certificates

    return BOOL, value
