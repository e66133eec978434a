"""What becomes of an order of a person: refused, waiting for a second person, or in force?

A stop or a revocation is in force here before it is told to others, and it is told only once it is
durable. One that cannot be kept is in force here all the same, and the caller is told so.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from flyball.authority.revocation.calls import AGE_S_MAX
from flyball.authority.revocation.revocation import (
    Event,
    EventError,
    Revocation,
    Stop,
    sign_event,
    verify_event,
)
from flyball.authority.revocation.roles import (
    Act,
    OrderError,
    TwoPersons,
    Waiting,
    may,
    needs_second,
)
from flyball.authority.revocation.signer import Signer
from flyball.model.acts import Oversight, RevocationSet
from flyball.serve.config.oversight import OversightSection
from flyball.serve.doors.parties import Caller, Parties
from flyball.serve.feeds.own import OwnFeed
from flyball.units import Seconds

EFFECT_S: Seconds = 0.25
EFFECTS_MAX = 4096


class Effect(Struct, kw_only=True):
    """What an order did so far, over all workers. `effect_s` = from its making to the last cut."""

    id: str
    act: str
    scope: str
    sequence: int
    is_new: bool = True
    cut: int = 0
    effect_s: Seconds = 0.0


class Orders:
    """Takes orders. `apply(event, sequence)` puts one in force here."""

    def __init__(
        self,
        section: OversightSection,
        parties: Parties,
        feed: OwnFeed,
        signer: Signer,
        apply: Callable[[Event, int], None],
        now: Callable[[], Seconds],
    ) -> None:
        self._parties = parties
        self._feed = feed
        self._signer = signer
        self._apply = apply
        self._now = now
        self._lock = asyncio.Lock()
        self._effects: dict[str, Effect] = {}
        self.two_persons = TwoPersons(section.confirm_s)
        self.adopt(section)

    def adopt(self, section: OversightSection) -> None:
        """A new fleet file: its rules for two persons."""
        self._rules = section.two_persons

    async def take(self, raw: bytes, caller: Caller) -> Effect | Waiting:
        """A person's signed stop, resume or revocation. Raises OrderError, OSError."""
        event = self._verified(raw, caller)
        act = act_of(event)
        if not may(caller.role, act):
            raise OrderError(403, f"{caller.name} has the role {caller.role}: it may not {act}")
        if event.by != caller.name or event.seconded_by:
            raise OrderError(403, "an order is in the name of the one who gives it, alone")
        scope = scope_of(event)
        if needs_second(self._rules, act, scope):
            at = self._now()
            return self.two_persons.propose(
                event.id, act, scope, caller.name, event.reason, raw, at
            )
        return await self.publish(event, raw)

    async def confirm(self, order_id: str, raw: bytes, caller: Caller) -> Effect:
        """The second person's signature on the same order, with their name in `seconded_by`."""
        first = self._waiting(order_id)
        event = self._verified(raw, caller)
        proposed = verify_event(first.raw, {}).event
        named = msgspec.structs.replace(proposed, seconded_by=caller.name)
        if event != named:
            raise OrderError(400, "this is not the order that waits, seconded by you")
        self.two_persons.confirm(order_id, caller.name, caller.role, self._now())
        return await self.publish(event, raw)

    async def revoke(self, event: Revocation) -> Effect:
        """A revocation by an identity provider: signed by this site. Raises OSError."""
        return await self.publish(event, sign_event(event, self._signer))

    async def publish(self, event: Event, raw: bytes) -> Effect:
        """Put it in force here and tell the others."""
        async with self._lock:
            if known := self._feed.sequence_of(event.id):
                effect = self._effects.get(event.id) or _effect(event, known)
                return msgspec.structs.replace(effect, is_new=False)
            effect = self._note(event)
            self._apply(event, effect.sequence)
            await self._feed.publish(raw)
        await asyncio.sleep(EFFECT_S)
        return effect

    def watch(self, record: RevocationSet | Oversight) -> None:
        """Add up what the workers say of an order that was given here."""
        for effect in reversed(self._effects.values()):
            is_it = (
                record.feed == self._feed.name and record.sequence == effect.sequence
                if isinstance(record, RevocationSet)
                else (record.act, record.scope) == (effect.act, effect.scope)
            )
            if is_it:
                effect.cut += record.cut
                effect.effect_s = max(effect.effect_s, record.effect_s)
                return

    def effect_of(self, order_id: str) -> Effect:
        """What it did. Raises OrderError if it is not known (any more)."""
        found = self._effects.get(order_id)
        if found is None:
            raise OrderError(404, "no such order was given here since the start")
        return found

    def _waiting(self, order_id: str) -> Waiting:
        for one in self.two_persons.waiting(self._now()):
            if one.id == order_id and one.raw:
                return one
        raise OrderError(404, "no such order waits (any more): give it again")

    def _verified(self, raw: bytes, caller: Caller) -> Event:
        try:
            signed = verify_event(raw, self._parties.keys)
        except EventError as error:
            raise OrderError(400, str(error)) from None
        if signed.signer != caller.name:
            raise OrderError(403, f"it is signed by {signed.signer}, not by {caller.name}")
        age_s = abs(self._now() - signed.event.made_at)
        if age_s > AGE_S_MAX and not signed.event.seconded_by:
            raise OrderError(400, f"it was made {age_s:.0f} s ago; give it again")
        return signed.event

    def _note(self, event: Event) -> Effect:
        if len(self._effects) >= EFFECTS_MAX:
            self._effects.pop(next(iter(self._effects)))
        effect = _effect(event, self._feed.sequence + 1)
        self._effects[event.id] = effect
        return effect


def act_of(event: Event) -> Act:
    """Which act of a person an event is."""
    if isinstance(event, Stop):
        return "stop" if event.is_stopped else "resume"
    return "revoke"


def scope_of(event: Event) -> str:
    """What it is about."""
    if isinstance(event, Stop):
        return event.scope
    return (*event.ids, *event.subjects)[0]


def _effect(event: Event, sequence: int) -> Effect:
    return Effect(id=event.id, act=act_of(event), scope=scope_of(event), sequence=sequence)
