"""Why was it allowed or denied: which rule, which fact, and who can change it?"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from flyball.authority.policy.cedar import Answer, CedarAuthority
from flyball.authority.policy.facts import All, Leaf, condition, joined, leaves
from flyball.authority.policy.leaf import ERRS, HOLDS, outcome, outcomes, probe
from flyball.authority.policy.policies import PolicySet, Rule
from flyball.authority.policy.question import (
    PLACE_FIELDS,
    PoolEntities,
    Unaskable,
    dynamic_facts,
    live,
    principal_of,
    request,
    static_facts,
)
from flyball.authority.policy.schema import schema
from flyball.model.verdict import Circumstances, Place, Subject

if TYPE_CHECKING:
    from cedarpy import Entities

# Who says what a fact is.
_CLASS = "the request's class, in the fleet file"
_MANDATE = "the mandate"
_POOL = "the pool or its site, in the fleet file"
_REQUEST = "the request"
_APPROVERS = "whoever may approve it"
_SAYERS = {
    "className": "the caller, or the principal's default class", "model": "the caller",
    "actor": _MANDATE, "human": _MANDATE, "tenant": _MANDATE, "depth": _MANDATE,
    "autonomy": _MANDATE, "dataClass": _CLASS, "dataHome": _CLASS, "transferBasis": _CLASS,
    "purpose": _CLASS, "latencyClassMs": _CLASS, "now": "the clock",
    "estCostMicroUsd": "the request's size and the pool's price",
    "budgetLeftMicroUsd": _MANDATE, "truncatedTokens": "the loop that cuts contexts",
    "retryDepth": "whoever retries", "hops": _MANDATE,
    "policyAge": "the link to where policies come from", "approvedBy": _APPROVERS,
    "approvedInRoles": _APPROVERS, "approvals": _APPROVERS,
}  # fmt: skip


class Fact(Struct, frozen=True):
    """What a rule read, its value as text, and who says so."""

    name: str
    value: str
    said_by: str


class Step(Struct, frozen=True):
    """One condition within a rule, and what it came to: "holds", "fails" or "errs"."""

    condition: str
    came_to: str


class RuleStory(Struct, frozen=True, kw_only=True):
    """One rule: `part` = "decided", "erred", or "did not permit" (a permit that fell short)."""

    id: str
    effect: str
    part: str
    place: str
    owner: str
    basis: str
    advice: str
    steps: tuple[Step, ...]
    facts: tuple[Fact, ...]


class SetStory(Struct, frozen=True, kw_only=True):
    """One policy set's answer."""

    digest: str
    allowed: bool
    errors: tuple[str, ...]
    obligations: tuple[str, ...]
    rules: tuple[RuleStory, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """The answer of all sets together, and each one's."""

    allowed: bool
    sets: tuple[SetStory, ...]


def explain(
    asked: CedarAuthority, subject: Subject, circumstances: Circumstances, place: Place
) -> Explanation:
    """Ask, and say why."""
    sets = tuple(
        _set_story(one, answer, asked.digests, subject, circumstances, place)
        for one, answer in asked.answers(subject, circumstances, place)
    )
    return Explanation(allowed=all(one.allowed for one in sets), sets=sets)


def lines(told: Explanation) -> Iterator[str]:
    """The explanation for people."""
    yield "ALLOWED" if told.allowed else "DENIED"
    for one in told.sets:
        yield ""
        yield f"policies {one.digest[:19]}: {'allow' if one.allowed else 'deny'}"
        yield from (f"  error: {text}" for text in one.errors)
        if one.obligations:
            yield f"  to be met: {', '.join(one.obligations)}"
        if not one.allowed and not any(rule.part != "did not permit" for rule in one.rules):
            yield "  Nothing permits it. What comes nearest:"
        for rule in one.rules:
            yield from (f"  {line}" for line in _rule_lines(rule))


def _rule_lines(rule: RuleStory) -> Iterator[str]:
    basis = f" ({rule.basis})" if rule.basis else ""
    yield f"{rule.effect} {rule.id}{basis} {rule.part}, {rule.place}"
    yield from (f"    {step.came_to:5}  {step.condition}" for step in rule.steps)
    yield from (f"    fact   {fact.name} = {fact.value}, by {fact.said_by}" for fact in rule.facts)
    if rule.advice:
        yield f"    advice {rule.advice}"
    yield f"    owner  {rule.owner or 'not stated: @owner(…) in the policy would say'}"


def _set_story(
    one: PolicySet,
    answer: Answer,
    digests: tuple[str, ...],
    subject: Subject,
    circumstances: Circumstances,
    place: Place,
) -> SetStory:
    told: list[RuleStory] = []
    try:
        known = live(circumstances, one, digests)
        context = static_facts(subject) | dynamic_facts(known)
        entities = PoolEntities(one.entities).of(place)
    except Unaskable:  # the answer's errors say so
        context, entities = {}, None
    if entities is not None:
        for rule, part in _told_of(one, answer):
            steps, read = _steps(rule, entities, subject, place, context)
            told.append(_rule_story(rule, part, steps, _facts(read, context, subject, place)))
    return SetStory(
        digest=one.digest,
        allowed=answer.allowed,
        errors=answer.errors,
        obligations=answer.obligations,
        rules=tuple(told),
    )


def _told_of(one: PolicySet, answer: Answer) -> Iterator[tuple[Rule, str]]:
    """The rules that decided or erred; where none did, the permits that fell short."""
    for rule in one.rules:
        if rule.id in answer.policies:
            yield rule, "decided"
        elif any(f"`{rule.id}`" in text for text in answer.errors):
            yield rule, "erred"
        elif not (answer.allowed or answer.policies or answer.errors) and rule.is_permit:
            yield rule, "did not permit"


def _rule_story(
    rule: Rule, part: str, steps: tuple[Step, ...], facts: tuple[Fact, ...]
) -> RuleStory:
    return RuleStory(
        id=rule.id,
        effect=rule.node.effect,
        part=part,
        place=rule.place,
        owner=rule.note("owner"),
        basis=rule.note("basis"),
        advice=rule.note("advice") if not (rule.is_permit and part == "decided") else "",
        steps=steps,
        facts=facts,
    )


def _steps(
    rule: Rule, entities: "Entities", subject: Subject, place: Place, context: dict[str, Any]
) -> tuple[tuple[Step, ...], All]:
    """The rule's conditions in the order in which Cedar came to them, and those as a condition."""
    came: list[tuple[Leaf, int]] = []
    asked = request(principal_of(subject), subject.action, place.pool, context)

    def of_leaf(leaf: Leaf) -> int:
        found = outcome(probe(leaf), entities, asked, schema())
        came.append((leaf, found))
        return found

    outcomes(condition(rule.node), of_leaf)
    words = {HOLDS: "holds", ERRS: "errs"}
    steps = tuple(Step(_text(leaf), words.get(found, "fails")) for leaf, found in came)
    return steps, All(tuple(leaf for leaf, _ in came))


def _text(leaf: Leaf) -> str:
    """The condition as Cedar writes it, without the parentheses that change nothing."""
    text = str(probe(leaf)).partition(" when { ")[2].removesuffix(" };")
    bare = re.sub(r"(?<!\w)\(([\w.]+)\)", r"\1", text)
    if bare.startswith("(") and bare.endswith(")") and "(" not in bare[1:]:
        bare = bare[1:-1]
    return re.sub(r"(?<!\w)\((\w+::\"[^\"]*\")\)", r"\1", bare)


def _facts(read: All, context: dict[str, Any], subject: Subject, place: Place) -> tuple[Fact, ...]:
    reads = joined(leaf.reads for leaf in leaves(read))
    found: list[Fact] = []
    if reads.principal:
        kind, name = principal_of(subject)
        found.append(Fact("principal", f'{kind}::"{name}"', _MANDATE))
    if reads.action:
        found.append(Fact("action", subject.action, _REQUEST))
    if reads.is_of_place:
        if reads.parents or reads.place:
            found.append(Fact("resource", f"{place.pool} in {place.jurisdiction or '?'}", _POOL))
        elif reads.pool:
            found.append(Fact("resource", place.pool, _POOL))
        names = PLACE_FIELDS if reads.place else reads.resource
        for name in sorted(names):
            value = getattr(place, PLACE_FIELDS[name])
            found.append(Fact(f"resource.{name}", _shown(value), _POOL))
    names = _SAYERS if reads.whole_context else reads.context
    for name in sorted(names):
        value = _shown(context[name]) if name in context else "not there"
        found.append(Fact(f"context.{name}", value, _SAYERS[name]))
    return tuple(found)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        entity = value["__entity"]
        return f'{entity["type"]}::"{entity["id"]}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
