"""Which findings would a change bring, before it is applied, and which would it take away?"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from flyball.diagnosis.finding import Finding
from flyball.diagnosis.topology.graph import Effect, LoopGraph, Member, Quota

WORSE_SHARE = 0.1


class Change(Struct, frozen=True, kw_only=True):
    """`loops`, `quotas`: fields to set, by name (a loop at every scope where it is). `effects`: put
    in place of those of the same actuator and signal. `add` comes, what `remove` names goes."""

    loops: Mapping[str, Mapping[str, Any]] = {}
    add: tuple[Member, ...] = ()
    remove: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    quotas: Mapping[str, Mapping[str, Any]] = {}


class Difference(Struct, frozen=True, kw_only=True):
    """Findings that appear, go, and stay; of those that stay, the ones whose numbers go further
    beyond their limits are in `worse` too."""

    new: tuple[Finding, ...]
    worse: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    kept: tuple[Finding, ...]


def changed(graph: LoopGraph, change: Change) -> LoopGraph:
    """The graph as it would be. Raises KeyError with the name of a loop or quota there is not."""
    names = {one.name for one in graph.members} | {one.name for one in change.add}
    for name in (*change.loops, *change.remove):
        if name not in names:
            raise KeyError(name)
    quotas = {one.name: one for one in graph.quotas}
    for name, fields in change.quotas.items():
        if name not in quotas:
            raise KeyError(name)
        quotas[name] = msgspec.structs.replace(quotas[name], **fields)
    members = tuple(
        msgspec.structs.replace(one, **change.loops.get(one.name, {}))
        for one in (*graph.members, *change.add)
        if one.name not in change.remove
    )
    return LoopGraph(
        members=members, effects=_effects(graph, change), quotas=tuple[Quota, ...](quotas.values())
    )


def _effects(graph: LoopGraph, change: Change) -> tuple[Effect, ...]:
    """With the new ones in place; what was there becomes the reference of what is not given one."""
    new = {(one.actuator, one.signal, one.scope): one for one in change.effects}
    kept: list[Effect] = []
    for old in graph.effects:
        fresh = new.pop((old.actuator, old.signal, old.scope), None)
        if fresh is None:
            kept.append(old)
            continue
        reference = fresh.reference
        if reference is None:
            reference = old.reference if old.reference is not None else old.gain
        kept.append(msgspec.structs.replace(fresh, reference=reference))
    return (*kept, *new.values())


def difference(before: Sequence[Finding], after: Sequence[Finding]) -> Difference:
    """What the change does to the findings. One is the same if code, loops, actuators and scope
    are, though its numbers moved; it then stands in `kept` with the new numbers."""
    known, coming = {_key(one): one for one in before}, {_key(one) for one in after}
    return Difference(
        new=tuple(one for one in after if _key(one) not in known),
        worse=tuple(one for one in after if _is_worse(known.get(_key(one)), one)),
        gone=tuple(one for one in before if _key(one) not in coming),
        kept=tuple(one for one in after if _key(one) in known),
    )


def _key(one: Finding) -> tuple[str, frozenset[str], frozenset[str], str]:
    return one.code, frozenset(one.loops), frozenset(one.actuators), one.scope


def _is_worse(before: Finding | None, after: Finding) -> bool:
    """Whether any number that has a limit went a tenth of the limit or more further beyond it."""
    if before is None:
        return False
    olds = {one.what: one for one in before.evidence}
    for new in after.evidence:
        old = olds.get(new.what)
        if old is None or old.limit is None or new.limit is None:
            continue
        side = 1.0 if new.value > new.limit else -1.0
        if side * (new.value - old.value) >= WORSE_SHARE * max(abs(new.limit), 1e-9):
            return True
    return False
