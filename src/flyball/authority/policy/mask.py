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

from flyball.authority.policy.direct import direct
from flyball.authority.policy.facts import All, Leaf, Reads, condition, leaves
from flyball.authority.policy.leaf import (
    ANY,
    ERRS,
    FAILS,
    HOLDS,
    Outcomes,
    outcome,
    outcomes,
    probe,
)
from flyball.authority.policy.policies import PolicySet, Rule
from flyball.authority.policy.question import (
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


class Board:
    """The pools of one mask, and how they fall together when only some facts are looked at."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        self.places = places
        self.rows: dict[tuple[Any, Any], Row] = {}  # by leaf and what it sees of a subject
        self.unreadable: dict[object, list[int]] = {}
        self._grouped: dict[tuple[Any, ...], tuple[list[Place], NDArray[np.intp]]] = {}

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
    told: Callable[..., int] | None
    is_static: bool
    is_of_place: bool


class Mask:
    """The mask of one policy set; answers of leaves are kept between boards."""

    def __init__(self, policy_set: PolicySet, pools: PoolEntities) -> None:
        self._set = policy_set
        self._pools = pools
        self._rules: list[tuple[Rule, All]] = [
            (rule, condition(rule.node)) for rule in policy_set.rules
        ]
        self._texts = [*(rule.id for rule in policy_set.rules), UNPERMITTED, UNREADABLE]
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
        texts = self._texts
        why[self._unreadable(board)] = len(texts) - 1
        try:
            for number, (rule, whole) in enumerate(self._rules):
                found = outcomes(whole, lambda leaf: self._row(leaf, subject, board))
                if rule.is_permit:
                    permitted |= np.asarray(found & HOLDS, np.uint8)
                    against = found == ERRS
                elif isinstance(found, int) and found & FAILS:
                    continue  # nothing against any pool: most rules about other classes
                else:
                    against = (found & FAILS) == 0
                why[np.asarray(against) & (why < 0)] = number
        except Unaskable:
            return (UNREADABLE,) * count
        why[(permitted == 0) & (why < 0)] = len(texts) - 2
        return tuple(texts[i] if i >= 0 else "" for i in why.tolist())

    def _unreadable(self, board: Board) -> list[int]:
        """Places whose facts Cedar has no form for."""
        found = board.unreadable.get(self)
        if found is None:
            found = board.unreadable[self] = []
            for index, place in enumerate(board.places):
                try:
                    self._pools.of(place)
                except Unaskable:
                    found.append(index)
        return found

    def _row(self, leaf: Leaf, subject: Subject, board: Board) -> Outcomes:
        """One leaf's outcomes: a number where all pools are alike to it."""
        known = self._known[id(leaf)]
        if not known.is_static:
            return ANY
        if not known.is_of_place:
            return self._answer(known, subject, None)
        kind = _kind(known, subject)
        key = (known, kind)
        row = board.rows.get(key)
        if row is None:
            if len(board.rows) >= ROWS_MAX:
                board.rows.clear()
            row = board.rows[key] = self._new_row(known, subject, board)
        return row

    def _new_row(self, known: _Known, subject: Subject, board: Board) -> Row:
        kept, like = board.grouped(known.leaf.reads)
        found = [self._answer(known, subject, place) for place in kept]
        return np.array(found, np.uint8)[like]

    def _answer(self, known: _Known, subject: Subject, place: Place | None) -> int:
        """Of one leaf; without a place where it reads none."""
        if known.told is not None:
            return known.told(subject, None, place)
        sight = seen(known.leaf.reads, place) if place is not None else None
        key = (known, _kind(known, subject), sight)
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            try:
                entities = self._pools.of(place) if place is not None else self._set.entities
            except Unaskable:
                return ANY  # the place is refused as a whole
            facts = {name: STATIC[name](subject) for name in known.names}
            facts = {name: value for name, value in facts.items() if value is not None}
            pool = place.pool if place is not None else ""
            asked = request(principal_of(subject), subject.action, pool, facts)
            found = self._answers[key] = outcome(known.policy, entities, asked)
        return found


def _known(leaf: Leaf) -> _Known:
    names = tuple(sorted(leaf.reads.context & STATIC.keys()))
    fields = tuple(SUBJECT_FIELDS[name] for name in names)
    reads = leaf.reads
    is_static, is_of_place = reads.is_static, reads.is_of_place
    return _Known(leaf, probe(leaf), names, fields, direct(leaf), is_static, is_of_place)


def _kind(known: _Known, subject: Subject) -> Any:
    """What a leaf sees of a subject."""
    reads = known.leaf.reads
    values = tuple(getattr(subject, field) for field in known.fields)
    who = principal_of(subject)[: reads.principal] if reads.principal else ()
    return values, who, subject.action if reads.action else ""
