"""What is a revocation or a stop as a signed thing that travels, and does its signature hold?

`{"event": EVENT, "key": KEY, "signature": S, "signer": NAME}` in RFC 8785 form; S, over event and
signer, is by the person who gave the order, or by a site where an identity provider or another
program did. The key stands beside it so that anyone can check the signature; whose key it is, the
reader's own list says.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from flyball.authority.revocation.signer import (
    KeyTextError,
    Signer,
    check_signature,
    key_text,
    read_key,
)
from flyball.governor.events import Revoked, StopSet
from flyball.signing.ed25519 import SignatureError
from flyball.signing.jcs import JcsError, canonical
from flyball.units import Bytes, Seconds

LABEL = "flyball.event/v1"
EVENT_BYTES_MAX: Bytes = 32_768
IDS_MAX = 128
TEXT_CHARS_MAX = 500
SCOPE_KINDS = ("class", "session", "principal", "model", "site")


class EventError(ValueError):
    """It is no event, or its signature does not hold. Says why; `code` = malformed or forged."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Revocation(Struct, frozen=True, kw_only=True, tag="revocation", tag_field="kind"):
    """Mandates with one of `ids` (lower-case hex) are void, and what was granted to `subjects`
    ("human:ISS|SUB", "session:ISS|SID") up to `made_at`.

    `until` = when all of them have expired anyway and this may be forgotten; 0 = never.
    """

    id: str
    by: str
    reason: str
    made_at: Seconds
    ids: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    seconded_by: str = ""
    until: Seconds = 0.0


class Stop(Struct, frozen=True, kw_only=True, tag="stop", tag_field="kind"):
    """All work of `scope` stops, or may go on. `site` = where; "" = at every governor."""

    id: str
    by: str
    reason: str
    made_at: Seconds
    scope: str
    is_stopped: bool
    site: str = ""
    seconded_by: str = ""
    until: Seconds = 0.0


Event = Revocation | Stop


class Signed(Struct, frozen=True, kw_only=True):
    """An event whose signature holds under `key`. `raw` = its canonical bytes."""

    event: Event
    signer: str
    key: bytes
    raw: bytes


class _Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    event: Event
    key: str
    signature: str
    signer: str


_ENVELOPES = msgspec.json.Decoder(_Envelope)


def sign_event(event: Event, signer: Signer) -> bytes:
    """The envelope's canonical bytes. EventError if the event says nothing or too much."""
    check_event(event)
    told = _plain(event)
    envelope = {
        "event": told,
        "key": key_text(signer.public),
        "signature": signer.sign(LABEL, _message(told, signer.name)),
        "signer": signer.name,
    }
    return canonical(envelope)


def verify_event(data: bytes, known: Mapping[str, bytes]) -> Signed:
    """The event, if its signature holds and the signer, where `known` (name -> key), has that key.

    Raises EventError. That the signer may give this order is for the caller to judge.
    """
    if len(data) > EVENT_BYTES_MAX:
        raise EventError("malformed", f"an event has at most {EVENT_BYTES_MAX} bytes")
    try:
        envelope = _ENVELOPES.decode(data)
        value = json.loads(data)
        is_canonical = canonical(value) == data
        public = read_key(envelope.key)
    except (msgspec.MsgspecError, UnicodeDecodeError, JcsError, KeyTextError) as error:
        raise EventError("malformed", f"it is no signed event: {error}") from None
    if not is_canonical:
        raise EventError("malformed", "it is not in canonical form (RFC 8785)")
    check_event(envelope.event)
    if known.get(envelope.signer, public) != public:
        raise EventError("forged", f"this is not the key of {envelope.signer}")
    try:
        message = _message(value["event"], envelope.signer)
        check_signature(public, LABEL, message, envelope.signature)
    except (SignatureError, JcsError) as error:
        raise EventError("forged", f"signed as {envelope.signer}: {error}") from None
    return Signed(event=envelope.event, signer=envelope.signer, key=public, raw=data)


def read_event(data: bytes) -> Event:
    """The event in an envelope that was verified before; EventError if it is none."""
    try:
        return _ENVELOPES.decode(data).event
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EventError("malformed", f"it is no signed event: {error}") from None


def check_event(event: Event) -> None:
    """Raises EventError for an event without a reason, a name, an id or anything to act on."""
    if not (event.id and event.by and event.reason):
        raise EventError("malformed", "an event has an id, a person behind it and a reason")
    if max(len(event.id), len(event.by), len(event.reason)) > TEXT_CHARS_MAX:
        raise EventError("malformed", f"a text has at most {TEXT_CHARS_MAX} characters")
    if isinstance(event, Stop):
        _check_scope(event.scope)
        return
    named = (*event.ids, *event.subjects)
    if not 0 < len(named) <= IDS_MAX:
        raise EventError("malformed", f"it names {len(named)} mandates: 1 to {IDS_MAX} are right")
    for one in event.ids:
        if not one or len(one) > 2 * 64 or set(one) - set("0123456789abcdef"):
            raise EventError("malformed", "a revocation id is lower-case hex")
    for subject in event.subjects:
        kind, _, rest = subject.partition(":")
        if kind not in ("human", "session") or "|" not in rest or len(rest) > TEXT_CHARS_MAX:
            raise EventError("malformed", "a subject is human:ISSUER|SUB or session:ISSUER|SID")


def core_event(event: Event, at: Seconds, feed: str, sequence: int) -> Revoked | StopSet:
    """What the governor is told of it."""
    if isinstance(event, Revocation):
        return Revoked(
            at,
            feed,
            sequence,
            event.ids,
            event.by,
            event.reason,
            made_at=event.made_at,
            subjects=event.subjects,
        )
    return StopSet(
        at,
        event.scope,
        event.is_stopped,
        event.by,
        event.reason,
        seconded_by=event.seconded_by,
        until=event.until,
        made_at=event.made_at,
    )


def _check_scope(scope: str) -> None:
    kind, _, name = scope.partition(":")
    if scope == "all" or (kind in SCOPE_KINDS and 0 < len(name) <= TEXT_CHARS_MAX):
        return
    known = ", ".join(f"{one}:NAME" for one in SCOPE_KINDS)
    raise EventError("malformed", f"{scope[:80]!r} is no scope: all, {known}")


def _message(told: Any, signer: str) -> bytes:
    """What is signed: the event, with members that only later versions know, and the name."""
    return canonical({"event": told, "signer": signer})


def _plain(event: Event) -> Any:
    """As JSON values; whole seconds and fractions alike are numbers of JSON."""
    return json.loads(msgspec.json.encode(event))
