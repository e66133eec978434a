"""What do the policies in force allow? (The core's port, answered by Cedar.)

Every policy set must allow. Cedar skips a policy that errs, even a `forbid`, and answers as if it
were not there (docs.cedarpolicy.com/auth/authorization.html, "skip-on-error"): here any error is a
no. A set is checked against the schema when it is loaded, and each question when it is asked.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from flyball.authority.policy.direct import direct
from flyball.authority.policy.facts import applies, condition, leaves
from flyball.authority.policy.mask import Board, Mask
from flyball.authority.policy.policies import PolicySet
from flyball.authority.policy.question import (
    Live,
    PoolEntities,
    Unaskable,
    are_plain,
    dynamic_facts,
    live,
    principal_of,
    request,
    static_facts,
)
from flyball.authority.policy.schema import ACTIONS, schema
from flyball.governor.authority import Authority, Open
from flyball.model.verdict import Circumstances, Place, Subject, Verdict

VERDICTS_MAX = 65_536
MASKS_MAX = 16_384
BOARDS_MAX = 8
AUTHORITIES_MAX = 64

_APPROVALS = frozenset({"approvedBy", "approvedInRoles", "approvals"})
# Few values each: a verdict is kept for each of them.
_FIELDS = {"truncatedTokens": "truncated_tokens", "retryDepth": "retry_depth", "hops": "hops"}


class Answer(Struct, frozen=True):
    """One policy set's answer; `policies` = ids of its rules."""

    allowed: bool
    policies: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()


class _Plan(Struct, frozen=True, eq=False):
    """What verdicts on an action depend on beside subject and place.

    `tellers` = conditions on the circumstances that are told without Cedar, `fields` = of the
    circumstances, `approvals` = by whom. `is_volatile` = on more than that.
    """

    tellers: tuple[Callable[[Subject, Any, Place], int], ...]
    fields: tuple[str, ...]
    approvals: bool
    is_volatile: bool


class _Part:
    """One policy set with what is kept of it."""

    def __init__(self, policy_set: PolicySet) -> None:
        self.policy_set = policy_set
        self.pools = PoolEntities(policy_set.entities)
        self.mask = Mask(policy_set, self.pools)

    def ask(self, subject: Subject, circumstances: Live, place: Place) -> Answer:
        return ask(self.policy_set, self.pools, subject, circumstances, place)


class _Kept:
    """A board with the masks made for it."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        self.board = Board(places)
        self.masks: dict[Subject, tuple[str, ...]] = {}


class CedarAuthority:
    """Policy sets that must all allow, workload first. Not for several threads at once."""

    def __init__(self, policy_sets: tuple[PolicySet, ...]) -> None:
        self.digests = tuple(one.digest for one in policy_sets)
        self._parts = [_Part(one) for one in policy_sets]
        self._boards: dict[int, _Kept] = {}
        self._verdicts: dict[tuple[object, ...], Verdict] = {}
        self._plans = {action: _plan(policy_sets, action) for action in ACTIONS}

    def mask(self, subject: Subject, places: tuple[Place, ...]) -> tuple[str, ...]:
        """As the port says. Fast where the very same tuple of places is given again."""
        kept = self._boards.get(id(places))
        if kept is None or kept.board.places is not places:
            kept = self._board(places)
        found = kept.masks.get(subject)
        if found is None:
            if len(kept.masks) >= MASKS_MAX:
                kept.masks.clear()
            found = kept.masks[subject] = self._new_mask(subject, kept.board)
        return found

    def decide(self, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
        """As the port says. Kept by what it depends on: the subject, the place, and what each
        condition on the circumstances comes to."""
        plan = self._plans.get(subject.action)
        if plan is None or plan.is_volatile or not are_plain(circumstances):
            return self._new_verdict(subject, circumstances, place)
        key: tuple[object, ...] = (subject, place)
        if plan.tellers or plan.fields or plan.approvals:
            people = self._approvers(circumstances) if circumstances.approvals else ()
            known = Live(circumstances, people, ())
            key += tuple([tell(subject, known, place) for tell in plan.tellers])
            key += tuple([getattr(circumstances, field) for field in plan.fields])
            key += people if plan.approvals else ()
        found = self._verdicts.get(key)
        if found is None:
            found = self._new_verdict(subject, circumstances, place)
            if not found.errors:  # an error's text may tell a value that differs each time
                if len(self._verdicts) >= VERDICTS_MAX:
                    self._verdicts.clear()
                self._verdicts[key] = found
        return found

    def answers(
        self, subject: Subject, circumstances: Circumstances, place: Place
    ) -> tuple[tuple[PolicySet, Answer], ...]:
        """What each policy set says, apart."""
        return tuple(
            (
                part.policy_set,
                part.ask(subject, live(circumstances, part.policy_set, self.digests), place),
            )
            for part in self._parts
        )

    def _approvers(self, circumstances: Circumstances) -> tuple[str, ...]:
        return live(circumstances, self._parts[0].policy_set, self.digests).approvers

    def _board(self, places: tuple[Place, ...]) -> _Kept:
        # Equal places in another tuple find what was made for them under the new identity too.
        for key, kept in self._boards.items():
            if kept.board.places == places:
                self._boards[id(places)] = self._boards.pop(key)
                kept.board.places = places
                return kept
        if len(self._boards) >= BOARDS_MAX:
            del self._boards[next(iter(self._boards))]
        made = self._boards[id(places)] = _Kept(places)
        return made

    def _new_mask(self, subject: Subject, board: Board) -> tuple[str, ...]:
        found = self._parts[0].mask.against(subject, board)
        for part in self._parts[1:]:
            more = part.mask.against(subject, board)
            found = tuple(a or b for a, b in zip(found, more, strict=True))
        return found

    def _new_verdict(self, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
        answers = [answer for _, answer in self.answers(subject, circumstances, place)]
        allowed = all(one.allowed for one in answers)
        deciding = answers if allowed else [one for one in answers if not one.allowed]
        return Verdict(
            allowed=allowed,
            policies=tuple(name for one in deciding for name in one.policies),
            errors=tuple(text for one in answers for text in one.errors),
            obligations=_once(name for one in answers for name in one.obligations)
            if allowed
            else (),
            bundles=self.digests,
        )


class CedarLibrary:
    """Policy sets by digest, as a driver has verified them."""

    def __init__(self, policy_sets: Mapping[str, PolicySet]) -> None:
        self._sets = dict(policy_sets)
        self._made: dict[tuple[str, ...], Authority] = {(): Open()}

    def authority(self, digests: tuple[str, ...]) -> Authority | None:
        """Those sets together, made once; None if one of them is not at hand."""
        found = self._made.get(digests)
        if found is None and all(digest in self._sets for digest in digests):
            if len(self._made) >= AUTHORITIES_MAX:
                self._made = {(): Open()}
            found = self._made[digests] = CedarAuthority(
                tuple(self._sets[digest] for digest in digests)
            )
        return found


def ask(
    policy_set: PolicySet,
    pools: PoolEntities,
    subject: Subject,
    circumstances: Live,
    place: Place,
) -> Answer:
    """One question to one policy set, with all that is known."""
    from cedarpy import Decision, is_authorized

    try:
        context = static_facts(subject) | dynamic_facts(circumstances)
        asked = request(principal_of(subject), subject.action, place.pool, context)
        found = is_authorized(asked, policy_set.handle, pools.of(place), schema())
    except Unaskable as error:
        return Answer(False, errors=(str(error),))
    except Exception as error:  # whatever the engine stumbles over, the answer is no
        return Answer(False, errors=(f"the policy engine failed: {error!r}",))
    # Cedar names them in no order: equal questions must get equal bytes.
    rules = sorted(map(policy_set.rule, found.diagnostics.reasons), key=policy_set.rules.index)
    errors = tuple(sorted(_by_name(policy_set, text) for text in found.diagnostics.errors))
    if found.decision is Decision.NoDecision and not errors:
        errors = ("the policy engine gave no decision",)
    return Answer(
        allowed=found.allowed and not errors,
        # Permits decide nothing where an error is the reason for the no.
        policies=tuple(rule.id for rule in rules if not (errors and rule.is_permit)),
        errors=errors,
        obligations=_once(name for rule in rules for name in rule.obligations)
        if found.allowed
        else (),
    )


def _plan(policy_sets: tuple[PolicySet, ...], action: str) -> _Plan:
    found = [
        leaf
        for one in policy_sets
        for rule in one.rules
        if applies(rule.node, action)
        for leaf in leaves(condition(rule.node))
        if not leaf.reads.is_static
    ]
    told = [tell for leaf in found if (tell := direct(leaf)) is not None]
    read = frozenset[str]().union(*(leaf.reads.dynamic for leaf in found if direct(leaf) is None))
    return _Plan(
        tellers=tuple(told),
        fields=tuple(field for name, field in _FIELDS.items() if name in read),
        approvals=bool(read & _APPROVALS),
        is_volatile=bool(read - _APPROVALS - _FIELDS.keys()),
    )


def _by_name(policy_set: PolicySet, text: str) -> str:
    return re.sub(r"`(policy\d+)`", lambda m: f"`{policy_set.rule(m[1]).id}`", text)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
