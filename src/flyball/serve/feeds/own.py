"""What has this site told the others, and how is a new event made durable before it is told?"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from flyball.authority.revocation.feed import Cursor, FeedError, digest, make_beat, make_entry
from flyball.authority.revocation.revocation import Event, read_event
from flyball.authority.revocation.signer import Signer
from flyball.serve.feeds.store import FeedStore
from flyball.units import Seconds


class FeedDamaged(Exception):
    """This site's own feed cannot be continued; the message says what to do."""


class OwnFeed:
    """Make it on the running loop. `steady` = a clock that never steps, s.

    Raises FeedDamaged if what was told before cannot be read, OSError if the file cannot be had.
    """

    def __init__(self, path: Path, signer: Signer, steady: Callable[[], Seconds]) -> None:
        self._signer = signer
        self._steady = steady
        self.store = FeedStore(path)
        cursor = Cursor(signer.name, signer.public)
        try:
            self.events = cursor.restore(self.store.lines())
        except FeedError as fault:
            self.store.close()
            raise FeedDamaged(
                f"{path} is damaged: {fault}. A site that forgets what it told would be taken for "
                f"a fork: put back the copy that any peer keeps as feeds/{signer.name}.feed."
            ) from None
        self.sequence, self.head = cursor.sequence, cursor.head
        self._sequences = {event.id: i for i, event in enumerate(self.events, 1)}
        self._lock = asyncio.Lock()
        self._more = asyncio.Event()

    @property
    def name(self) -> str:
        """The site."""
        return self._signer.name

    def sequence_of(self, event_id: str) -> int:
        """Where an event stands; 0 = it was never told."""
        return self._sequences.get(event_id, 0)

    async def publish(self, raw: bytes) -> tuple[int, bool]:
        """Keep a signed event's envelope and tell it: its sequence number, and whether it is new.

        The same event (by id) again changes nothing. Raises OSError if it cannot be kept.
        """
        async with self._lock:
            event: Event = read_event(raw)
            if known := self._sequences.get(event.id):
                return known, False
            sequence = self.sequence + 1
            line = make_entry(raw, sequence, self.head, self._signer)
            await asyncio.to_thread(self.store.append, [line])
            self.sequence, self.head = sequence, digest(line)
            self._sequences[event.id] = sequence
            self._more.set()
            self._more = asyncio.Event()
            return sequence, True

    def lines(self, after: int) -> list[bytes]:
        """Some of the lines after that one; none that a beat would not count yet."""
        return self.store.read(after)[: max(0, self.sequence - after)]

    def beat(self, nonce: str) -> tuple[int, bytes]:
        """How far it goes now: the number, and the signed line."""
        up_s = self._steady()
        return self.sequence, make_beat(self.sequence, self.head, nonce, up_s, self._signer)

    async def more(self, after: int, wait_s: Seconds) -> None:
        """Return when there is more than `after`, or after `wait_s`."""
        if self.sequence <= after:
            try:
                await asyncio.wait_for(self._more.wait(), wait_s)
            except TimeoutError:
                return
