"""Is what a site says of its revocations whole, in order, fresh and its own?

A feed is a chain: each entry has the next sequence number and the SHA-256 of the entry before it,
signed by the site. Beats tell how far the chain goes now, signed over a number that the listener
drew, so that an old beat is none. Whatever is out of order is never taken silently.
"""

import json
from collections.abc import AsyncGenerator, Iterable
from hashlib import sha256
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from flyball.authority.revocation.revocation import (
    Event,
    EventError,
    Signed,
    read_event,
    verify_event,
)
from flyball.authority.revocation.signer import Signer, check_signature
from flyball.signing.ed25519 import SignatureError
from flyball.signing.jcs import JcsError, canonical
from flyball.units import Bytes, Seconds

ENTRY_LABEL = "flyball.feed-entry/v1"
BEAT_LABEL = "flyball.feed-beat/v1"
LINE_BYTES_MAX: Bytes = 65_536
DIGESTS_MAX = 4096
Fault = Literal["malformed", "forged", "foreign", "gap", "regressed", "forked", "stale"]
Kind = Literal["entry", "beat"]


class FeedError(ValueError):
    """What came is not the next true word of the feed. `fault` says in which way."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault: Fault = fault


class Feed(Protocol):
    """A way on which another site's feed comes here. (First: server-sent events over HTTP.)"""

    def follow(self, after: int, nonce: str) -> AsyncGenerator[tuple[Kind, bytes], None]:
        """Entries after that sequence number, then new ones as they come, with beats between.

        Ends, or raises OSError, when the way is broken.
        """
        ...


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a feed. `previous` = digest of the line before it ("" before the first)."""

    event: str
    feed: str
    previous: str
    sequence: int


class _Line(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    signature: str


_LINES = msgspec.json.Decoder(_Line)


class Beat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a feed goes. `up_s` = its maker's steady clock when this was said."""

    feed: str
    head: str
    nonce: str
    sequence: int
    up_s: Seconds


class Taken(Struct, frozen=True):
    """An entry that is new here."""

    sequence: int
    signed: Signed
    line: bytes


def make_entry(event: bytes, sequence: int, previous: str, signer: Signer) -> bytes:
    """The signed line of an event's envelope."""
    entry = Entry(event=event.decode(), feed=signer.name, previous=previous, sequence=sequence)
    return _signed(entry, ENTRY_LABEL, signer)


def make_beat(sequence: int, head: str, nonce: str, up_s: Seconds, signer: Signer) -> bytes:
    """The signed line that says how far the feed goes."""
    beat = Beat(feed=signer.name, head=head, nonce=nonce, sequence=sequence, up_s=up_s)
    return _signed(beat, BEAT_LABEL, signer)


def digest(line: bytes) -> str:
    """What names a line, and all before it, in the line after."""
    return sha256(line).hexdigest()


class Cursor:
    """How far one feed was read, and what may come next. `key` = the site's public key.

    Who may give orders at a site is settled there; here the order's own signature must hold, and
    be the site's own key where it is signed in its name. Digests of the last `DIGESTS_MAX` lines
    are kept, to tell a repeated line from a forked one.
    """

    def __init__(self, name: str, key: bytes) -> None:
        self.name = name
        self._key = key
        self.sequence = 0
        self.head = ""
        self._digests: dict[int, str] = {}

    def again(self) -> "Cursor":
        """A cursor on the same feed from its beginning."""
        return Cursor(self.name, self._key)

    def take(self, line: bytes) -> Taken | None:
        """The next entry; None for one that was taken before. Raises FeedError and stays put."""
        entry = self._opened(line, Entry, ENTRY_LABEL)
        found = digest(line)
        if entry.sequence <= self.sequence:
            if self._digests.get(entry.sequence, found) != found:
                text = f"entry {entry.sequence} is not the one that was sent before"
                raise FeedError("forked", text)
            return None
        if entry.sequence != self.sequence + 1:
            text = f"entry {entry.sequence} came after {self.sequence}"
            raise FeedError("gap", text)
        if entry.previous != self.head:
            raise FeedError("forked", f"entry {entry.sequence} does not follow the one before it")
        try:
            signed = verify_event(entry.event.encode(), {self.name: self._key})
        except EventError as error:
            fault: Fault = "forged" if error.code == "forged" else "malformed"
            raise FeedError(fault, f"entry {entry.sequence}: {error}") from None
        self._advance(entry.sequence, found)
        return Taken(entry.sequence, signed, line)

    def restore(self, lines: Iterable[bytes]) -> list[Event]:
        """The events of a file of lines that were taken before; the cursor stands after the last.

        The chain is checked from line to line, and the last line's signature: a byte that changed
        anywhere breaks one of the two. Raises FeedError naming the entry.
        """
        events: list[Event] = []
        line = b""
        for line in lines:
            try:
                entry = _LINES.decode(line)
                events.append(read_event(entry.event.encode()))
            except (msgspec.MsgspecError, UnicodeDecodeError, EventError) as error:
                text = f"entry {self.sequence + 1} cannot be read: {error}"
                raise FeedError("malformed", text[:200]) from None
            if entry.sequence != self.sequence + 1 or entry.previous != self.head:
                text = f"entry {self.sequence + 1} does not follow the one before it"
                raise FeedError("forked", text)
            self._advance(entry.sequence, digest(line))
        if line:
            self._opened(line, Entry, ENTRY_LABEL)
        return events

    def hear(self, line: bytes, nonce: str) -> Beat:
        """A beat that says: what was taken is all there is. Raises FeedError if it does not.

        "gap" = there is more; "regressed" = there is less than was taken: a feed never shrinks.
        """
        beat = self._opened(line, Beat, BEAT_LABEL)
        if beat.nonce != nonce:
            raise FeedError("stale", "the beat was said to somebody else, or before")
        if beat.sequence > self.sequence:
            raise FeedError("gap", f"it goes up to {beat.sequence}, {self.sequence} came")
        if beat.sequence < self.sequence:
            text = f"it ends at {beat.sequence} but sent {self.sequence} before"
            raise FeedError("regressed", text)
        if beat.head != self.head:
            raise FeedError("forked", f"entry {beat.sequence} is another one now")
        return beat

    def _advance(self, sequence: int, found: str) -> None:
        self.sequence, self.head = sequence, found
        self._digests[sequence] = found
        self._digests.pop(sequence - DIGESTS_MAX, None)

    def _opened(self, line: bytes, kind: Any, label: str) -> Any:
        if len(line) > LINE_BYTES_MAX:
            raise FeedError("malformed", f"a line has at most {LINE_BYTES_MAX} bytes")
        try:
            value = json.loads(line)
            if not isinstance(value, dict) or canonical(value) != line:
                raise FeedError("malformed", "the line is not in canonical form (RFC 8785)")
            signature = value.pop("signature", "")
            said = msgspec.convert(value, kind, strict=True)
            if said.feed != self.name:
                text = f"the line is of feed {said.feed[:64]!r}, not {self.name}"
                raise FeedError("foreign", text)
            check_signature(self._key, label, canonical(value), signature)
        except SignatureError as error:
            text = f"signed as {self.name} with a key that is not its own: {error}"
            raise FeedError("forged", text) from None
        except FeedError:
            raise
        except (ValueError, RecursionError, JcsError, msgspec.MsgspecError, TypeError) as error:
            raise FeedError("malformed", f"it is no line of a feed: {error}"[:200]) from None
        return said


def _signed(said: Struct, label: str, signer: Signer) -> bytes:
    value = json.loads(msgspec.json.encode(said))
    value["signature"] = signer.sign(label, canonical(value))
    return canonical(value)
