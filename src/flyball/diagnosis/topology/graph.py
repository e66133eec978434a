"""Which loop moves which actuator, which signal does that move, and which loops read it?

Two kinds of edge make the graph: a `Member` (a loop) reads signals and moves one actuator; an
`Effect` says how an actuator moves a signal. Both carry where they are known from (`seen`): a
registry, a file and line, a writer's record, a probe.

Gains are relative (per cent of the signal per per cent of the actuator), so that they have no unit.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from flyball.model.loop import ForeignLoop, Loop
from flyball.units import Seconds

UNKNOWN = 0
LOOPS_MAX = 5_000


class Reading(Struct, frozen=True, kw_only=True):
    """A signal that a loop acts on. The first of a loop's readings is the one it regulates.

    `sign` = +1: the loop raises its actuator while the signal is above its target, -1: lowers it,
    0 = not known. `gain` = relative move of the actuator per relative error in one period (>= 0).
    `wants` = where the loop would have the signal: +1 up, -1 down, 0 at `target` (within `band`, a
    share of it). `stands_for` = the truth that the signal is read for; `stands_sign` = -1 where
    the signal falls when the truth rises.
    """

    signal: str
    sign: int = UNKNOWN
    gain: float | None = None
    wants: int = 0
    target: float | None = None
    band: float = 0.05
    stands_for: str = ""
    stands_sign: int = 1


class Member(Struct, frozen=True, kw_only=True):
    """A loop in the graph. `scope` "" = everywhere; `value` = where its actuator stands now.

    `spends` names a quota, of which it may claim up to `claim`. A loop that only recommends
    (`is_acting` false) is in conflict with nobody. `guard` = the gain margin that the loop's own
    cap keeps whatever its plant, 0 = it has no such cap.
    """

    name: str
    actuator: str
    scope: str = ""
    reads: tuple[Reading, ...] = ()
    objective: str = ""
    period_s: Seconds = 0.0
    delay_s: Seconds = 0.0
    limit_low: float | None = None
    limit_high: float | None = None
    value: float | None = None
    spends: str = ""
    claim: float | None = None
    is_acting: bool = True
    guard: float = 0.0
    seen: tuple[str, ...] = ()


class Effect(Struct, frozen=True, kw_only=True):
    """How one actuator moves one signal: `sign` -1, 0 (not known) or +1 and, where known, `gain`
    with its 95 % interval. `reference` = the gain at commissioning. `scope` "" = everywhere."""

    actuator: str
    signal: str
    scope: str = ""
    sign: int = UNKNOWN
    gain: float | None = None
    reference: float | None = None
    delay_s: Seconds = 0.0
    low: float | None = None
    high: float | None = None
    is_measured: bool = False
    seen: tuple[str, ...] = ()

    @property
    def way(self) -> int:
        """Its sign: that of the gain where one is known."""
        if self.gain is None:
            return self.sign
        return int(self.gain > 0.0) - int(self.gain < 0.0)


class Quota(Struct, frozen=True, kw_only=True):
    """What several loops may spend; an `arbiter` shares it out, so that they cannot overspend."""

    name: str
    limit: float
    unit: str = ""
    arbiter: str = ""
    seen: tuple[str, ...] = ()


class LoopGraph(Struct, frozen=True, kw_only=True):
    """Loops, effects of actuators on signals, and shared quotas."""

    members: tuple[Member, ...] = ()
    effects: tuple[Effect, ...] = ()
    quotas: tuple[Quota, ...] = ()


Part = TypeVar("Part", Member, Quota)


class Link(Struct, frozen=True):
    """Loop `source` moves a signal that loop `target` reads (indices into `members`)."""

    source: int
    target: int
    reading: Reading
    effect: Effect

    @property
    def sign(self) -> int:
        """+1: raising the one actuator makes the other loop raise its own; 0 = not known."""
        return self.reading.sign * self.effect.way


def overlap(one: str, other: str) -> bool:
    """Whether two scopes share anything; "" is everywhere."""
    return not one or not other or one == other


def member_of(loop: Loop, scope: str = "", guard: float = 0.0, seen: str = "registry") -> Member:
    """A declared loop. Its sensor's words, parted by `;` and `,`, are its signals; how strongly
    it answers to each is not declared. `guard` as of `Member`."""
    words = loop.sensor.replace(",", ";").split(";")
    return Member(
        name=loop.name,
        actuator=loop.actuator,
        scope=scope,
        reads=tuple(Reading(signal=word.strip()) for word in words if word.strip()),
        objective=loop.objective,
        period_s=loop.period_s,
        delay_s=loop.delay_s,
        limit_low=loop.limit_low,
        limit_high=None if loop.limit_high == float("inf") else loop.limit_high,
        is_acting=loop.mode == "enforce",
        guard=guard,
        seen=(seen,),
    )


def member_of_foreign(loop: ForeignLoop, seen: str = "fleet file") -> Member:
    """A loop that is not ours: what it reads is not declared, only what it moves and how fast."""
    return Member(
        name=loop.name,
        actuator=loop.actuator,
        scope=loop.scope,
        period_s=loop.period_s,
        delay_s=loop.delay_s,
        seen=(seen,),
    )


def merge(graphs: Iterable[LoopGraph]) -> LoopGraph:
    """One graph of many sources; of two that say the same thing, both stand in `seen`.

    A field that one source leaves at its default is filled from the next. A measured effect goes
    before a declared one, whose gain becomes the reference. ValueError for too many loops.
    """
    members: dict[tuple[str, str], Member] = {}
    effects: dict[tuple[str, str, str], Effect] = {}
    quotas: dict[str, Quota] = {}
    for graph in graphs:
        for member in graph.members:
            key = (member.name, member.scope)
            members[key] = _joined(members[key], member) if key in members else member
        for effect in graph.effects:
            place = (effect.actuator, effect.signal, effect.scope)
            effects[place] = _judged(effects[place], effect) if place in effects else effect
        for quota in graph.quotas:
            old = quotas.get(quota.name)
            quotas[quota.name] = quota if old is None else _joined(old, quota)
    if len(members) > LOOPS_MAX:
        raise ValueError(f"{len(members)} loops: at most {LOOPS_MAX} are compared")
    return LoopGraph(
        members=tuple(members.values()),
        effects=tuple(effects.values()),
        quotas=tuple(quotas.values()),
    )


def _joined(first: Part, second: Part) -> Part:
    changes = {}
    for field in msgspec.structs.fields(first):
        default = None if field.default is msgspec.NODEFAULT else field.default
        if getattr(first, field.name) == default:
            changes[field.name] = getattr(second, field.name)
    changes["seen"] = _both(first.seen, second.seen)
    return msgspec.structs.replace(first, **changes)


def _judged(first: Effect, second: Effect) -> Effect:
    """The measured one speaks; the other remains as reference."""
    lead, rest = (second, first) if second.is_measured > first.is_measured else (first, second)
    reference = lead.reference if lead.reference is not None else rest.reference
    if reference is None and lead.is_measured > rest.is_measured:
        reference = rest.gain
    return msgspec.structs.replace(
        lead,
        sign=lead.sign or rest.sign,
        gain=rest.gain if lead.gain is None else lead.gain,
        reference=reference,
        delay_s=lead.delay_s or rest.delay_s,
        seen=_both(first.seen, second.seen),
    )


def _both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


class Wiring:
    """The graph's links between loops, looked up by loop; built once, as rules ask often."""

    def __init__(self, graph: LoopGraph) -> None:
        self.graph = graph
        self.members = tuple(one for one in graph.members if one.is_acting)
        self._moved: dict[str, list[Effect]] = {}
        for effect in graph.effects:
            self._moved.setdefault(effect.actuator, []).append(effect)
        readers: dict[str, list[tuple[int, Reading]]] = {}
        for number, member in enumerate(self.members):
            for reading in member.reads:
                readers.setdefault(reading.signal, []).append((number, reading))
        self.links: tuple[Link, ...] = tuple(
            Link(source, target, reading, effect)
            for source, member in enumerate(self.members)
            for effect in self.effects_of(member)
            for target, reading in readers.get(effect.signal, ())
            if overlap(member.scope, self.members[target].scope)
        )
        self._between: dict[tuple[int, int], list[Link]] = {}
        for link in self.links:
            self._between.setdefault((link.source, link.target), []).append(link)

    def effects_of(self, member: Member) -> list[Effect]:
        """What the loop's actuator moves, where it works."""
        found = self._moved.get(member.actuator, [])
        return [one for one in found if overlap(one.scope, member.scope)]

    def effect(self, member: Member, signal: str) -> Effect | None:
        """How the loop's actuator moves that signal, if it does."""
        return next((one for one in self.effects_of(member) if one.signal == signal), None)

    def between(self, source: int, target: int) -> Sequence[Link]:
        """The links from one loop to another (or to itself)."""
        return self._between.get((source, target), ())

    def neighbours(self) -> list[list[int]]:
        """For each loop the others that it reaches in one step."""
        out: list[set[int]] = [set() for _ in self.members]
        for link in self.links:
            if link.source != link.target:
                out[link.source].add(link.target)
        return [sorted(some) for some in out]
