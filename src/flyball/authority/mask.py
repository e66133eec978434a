"""Which pools can policy never allow to requests of a kind, whatever else comes to be known?

Each policy's condition is evaluated leaf by leaf. A leaf that reads only the kind of request is
asked once per kind, one that also reads the pool once per distinct pair of the facts it reads, one
that reads what is not known yet may come to anything. So the mask is never narrower than the
decision, and for policies that read no such fact it is equal to it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flyball.authority.facts import All, Leaf, Reads, condition, leaves
from flyball.authority.leaf import ANY, ERRS, FAILS, HOLDS, Outcomes, outcome, outcomes, probe
from flyball.authority.policies import PolicySet, Rule
from flyball.authority.question import (
    PLACE_FIELDS,
    STATIC,
    SUBJECT_FIELDS,
    PoolEntities,
    Unaskable,
    are_numbers_askable,
    principal_of,
    request,
)
from flyball.model.verdict import Place, Subject

if TYPE_CHECKING:
    from cedarpy import PolicySet as CedarSet

UNREADABLE = "its facts cannot be read"
UNPERMITTED = "nothing permits it"
# Answers of leaves that are kept; over that all are forgotten.
ANSWERS_MAX = 500_000
ROWS_MAX = 50_000

Row = NDArray[np.uint8]
# Long against Long, as Cedar compares them: of pools, numpy does it for all at once.
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "less": np.less, "less_eq": np.less_equal, "greater": np.greater,
    "greater_eq": np.greater_equal, "eq": np.equal, "not_eq": np.not_equal,
}  # fmt: skip
_LONGS = ("depth", "autonomy", "latencyClassMs", "networkMsP95", "costMicroUsdPerKtok")


class Board:
    """The pools of one mask, and how they fall together when only some facts are looked at."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        self.places = places
        self.rows: dict[tuple[Any, Any], Row] = {}  # by leaf and what it sees of a subject
        self._grouped: dict[tuple[Any, ...], tuple[list[Place], NDArray[np.intp]]] = {}
        self._numbers: dict[str, NDArray[np.int64]] = {}

    def grouped(self, reads: Reads) -> tuple[list[Place], NDArray[np.intp]]:
        """One place for each distinct sight of them, and which of these each place is like."""
        sight = (reads.resource, reads.parents, reads.pool, reads.place)
        found = self._grouped.get(sight)
        if found is None:
            number: dict[Any, int] = {}
            like = [number.setdefault(seen(reads, one), len(number)) for one in self.places]
            first = {place: i for i, place in reversed(list(enumerate(like)))}
            kept = [self.places[first[i]] for i in range(len(number))]
            found = self._grouped[sight] = kept, np.array(like, np.intp)
        return found

    def numbers(self, name: str) -> NDArray[np.int64]:
        """One attribute of all pools."""
        if name not in self._numbers:
            field = PLACE_FIELDS[name]
            self._numbers[name] = np.array([getattr(one, field) for one in self.places], np.int64)
        return self._numbers[name]


def seen(reads: Reads, place: Place) -> Any:
    """What an expression sees of a place."""
    if reads.place:
        return place
    return (
        tuple(getattr(place, PLACE_FIELDS[name]) for name in sorted(reads.resource)),
        place.jurisdiction if reads.parents else "",
        place.pool if reads.pool else "",
    )


class _Known(Struct, frozen=True, eq=False):
    """A leaf with what is needed to ask it. `fields` = those of the subject that it reads."""

    leaf: Leaf
    policy: "CedarSet"
    names: tuple[str, ...]
    fields: tuple[str, ...]
    compared: tuple[Any, Any, Any] | None


class Mask:
    """The mask of one policy set; answers of leaves are kept between boards."""

    def __init__(self, policy_set: PolicySet, pools: PoolEntities) -> None:
        self._set = policy_set
        self._pools = pools
        self._rules: list[tuple[Rule, All]] = [
            (rule, condition(rule.node)) for rule in policy_set.rules
        ]
        every = [leaf for _, whole in self._rules for leaf in leaves(whole)]
        self._known = {id(leaf): _known(leaf) for leaf in every}
        self._answers: dict[tuple[_Known, Any, Any], int] = {}

    def against(self, subject: Subject, board: Board) -> tuple[str, ...]:
        """For each place of the board "" or the rule against it."""
        count = len(board.places)
        if not are_numbers_askable(subject):
            return (UNREADABLE,) * count
        why = np.full(count, -1, np.intp)
        permitted = np.zeros(count, np.uint8)
        texts = [*(rule.id for rule, _ in self._rules), UNPERMITTED, UNREADABLE]
        for place in self._unreadable(board):
            why[place] = len(texts) - 1
        try:
            for number, (rule, whole) in enumerate(self._rules):
                found = outcomes(whole, lambda leaf: self._row(leaf, subject, board))
                if rule.is_permit:
                    permitted |= np.asarray(found & HOLDS, np.uint8)
                    against = np.asarray(found == ERRS)
                else:
                    against = np.asarray(found & FAILS) == 0
                why[against & (why < 0)] = number
        except Unaskable:
            return (UNREADABLE,) * count
        why[(permitted == 0) & (why < 0)] = len(texts) - 2
        return tuple(texts[i] if i >= 0 else "" for i in why.tolist())

    def _unreadable(self, board: Board) -> list[int]:
        found = []
        for index, place in enumerate(board.places):
            try:
                self._pools.of(place)
            except Unaskable:
                found.append(index)
        return found

    def _row(self, leaf: Leaf, subject: Subject, board: Board) -> Outcomes:
        """One leaf's outcomes: a number where all pools are alike to it."""
        if not leaf.reads.is_static:
            return ANY
        known = self._known[id(leaf)]
        kind = _kind(known, subject)
        if not leaf.reads.is_of_place:
            return self._answer(known, kind, subject, board.places[0]) if board.places else ANY
        key = (known, kind)
        row = board.rows.get(key)
        if row is None:
            if len(board.rows) >= ROWS_MAX:
                board.rows.clear()
            row = board.rows[key] = self._new_row(known, kind, subject, board)
        return row

    def _new_row(self, known: _Known, kind: Any, subject: Subject, board: Board) -> Row:
        if known.compared is not None:
            compare, left, right = known.compared
            held = compare(_number(left, subject, board), _number(right, subject, board))
            return np.where(held, np.uint8(HOLDS), np.uint8(FAILS))
        kept, like = board.grouped(known.leaf.reads)
        found = [self._answer(known, kind, subject, place) for place in kept]
        return np.array(found, np.uint8)[like]

    def _answer(self, known: _Known, kind: Any, subject: Subject, place: Place) -> int:
        reads = known.leaf.reads
        key = (known, kind, seen(reads, place) if reads.is_of_place else None)
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            facts = {name: STATIC[name](subject) for name in known.names}
            try:
                entities = self._pools.of(place)
            except Unaskable:
                return ANY  # the place is refused as a whole
            facts = {name: value for name, value in facts.items() if value is not None}
            asked = request(principal_of(subject), subject.action, place.pool, facts)
            found = self._answers[key] = outcome(known.policy, entities, asked)
        return found


def _known(leaf: Leaf) -> _Known:
    names = tuple(sorted(leaf.reads.context & STATIC.keys()))
    fields = tuple(SUBJECT_FIELDS[name] for name in names)
    return _Known(leaf, probe(leaf), names, fields, _comparison(leaf))


def _kind(known: _Known, subject: Subject) -> Any:
    """What a leaf sees of a subject."""
    reads = known.leaf.reads
    values = tuple(getattr(subject, field) for field in known.fields)
    who = principal_of(subject)[: reads.principal] if reads.principal else ()
    return values, who, subject.action if reads.action else ""


def _comparison(leaf: Leaf) -> tuple[Any, Any, Any] | None:
    """(numpy's comparison, operand, operand) where both are whole numbers that are always there."""
    from cedarpy import pst

    expr = leaf.expr
    if not isinstance(expr, pst.BinaryOp) or expr.op not in _COMPARISONS:
        return None
    operands = (expr.left, expr.right)
    if all(isinstance(one, pst.LongLit) or _is_long(one) for one in operands):
        return _COMPARISONS[expr.op], *operands
    return None


def _is_long(operand: Any) -> bool:
    from cedarpy import pst

    return (
        isinstance(operand, pst.GetAttr)
        and isinstance(operand.base, pst.Var)
        and operand.base.name in ("context", "resource")
        and operand.attr in _LONGS
    )


def _number(operand: Any, subject: Subject, board: Board) -> Any:
    from cedarpy import pst

    if isinstance(operand, pst.LongLit):
        return np.int64(operand.value)
    if operand.base.name == "context":
        return np.int64(getattr(subject, SUBJECT_FIELDS[operand.attr]))
    return board.numbers(operand.attr)
