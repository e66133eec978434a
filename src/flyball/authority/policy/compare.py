"""What would other policies have allowed or denied of what was asked before?"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from flyball.authority.policy.cedar import CedarAuthority
from flyball.model.verdict import Circumstances, Place, Subject

EXAMPLES_MAX = 3
CHANGES_MAX = 1_000

Direction = Literal["newly denied", "newly allowed"]


class Asked(Struct, frozen=True):
    """A recorded request: placed at one place, or refused (`places` = where it might have run)."""

    id: str
    subject: Subject
    circumstances: Circumstances
    places: tuple[Place, ...]


class Change(Struct, kw_only=True):
    """Requests alike whose answer changes: how many, the ids of the first, and by which rules."""

    direction: Direction
    class_name: str
    model: str
    principal: str
    place: str
    policies: tuple[str, ...]
    count: int = 0
    examples: list[str] = []


class Comparison(Struct, kw_only=True):
    """Of `asked` requests: `changes`, most frequent first; `unlisted` = in none of these."""

    asked: int = 0
    newly_denied: int = 0
    newly_allowed: int = 0
    unlisted: int = 0
    changes: list[Change] = []


def compare(old: CedarAuthority, new: CedarAuthority, all_: Iterable[Asked]) -> Comparison:
    """Ask both. A refused request is newly allowed where one place allows it that did not."""
    told = Comparison()
    found: dict[tuple[object, ...], Change] = {}
    for one in all_:
        told.asked += 1
        before, _ = _answer(old, one)
        after, policies = _answer(new, one)
        if bool(before) == bool(after):
            continue
        direction: Direction = "newly denied" if before else "newly allowed"
        told.newly_denied += direction == "newly denied"
        told.newly_allowed += direction == "newly allowed"
        place = before or after
        key = (direction, one.subject.class_name, one.subject.model, one.subject.principal)
        key = (*key, place, policies)
        if key not in found and len(found) >= CHANGES_MAX:
            told.unlisted += 1
            continue
        change = found.setdefault(
            key,
            Change(
                direction=direction,
                class_name=one.subject.class_name,
                model=one.subject.model,
                principal=one.subject.principal,
                place=place,
                policies=policies,
            ),
        )
        change.count += 1
        if len(change.examples) < EXAMPLES_MAX:
            change.examples.append(one.id)
    told.changes = sorted(found.values(), key=lambda change: -change.count)
    return told


def _answer(asked: CedarAuthority, one: Asked) -> tuple[str, tuple[str, ...]]:
    """The first pool where it is allowed ("" = none), and the rules that decided last."""
    policies: tuple[str, ...] = ()
    for place in one.places:
        verdict = asked.decide(one.subject, one.circumstances, place)
        policies = verdict.policies or verdict.errors
        if verdict.allowed:
            return place.pool, policies
    return "", policies
