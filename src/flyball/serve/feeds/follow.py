"""Has all that another site revoked come here, and how fresh is that knowledge?

Freshness needs no common clock: a beat tells its maker's steady clock, and the first one was said
after we asked; so a beat that is `d` seconds after the first was said at least `d` after we asked.
A beat that lay in a buffer therefore counts from when it was said, not from when it was read.
"""

import asyncio
import random
import secrets
from collections.abc import Callable

from flyball.authority.revocation.feed import Beat, Cursor, Feed, FeedError, Taken
from flyball.authority.revocation.revocation import Event
from flyball.serve.feeds.store import FeedStore
from flyball.units import Seconds

BACKOFF_S_MIN: Seconds = 0.05
BACKOFF_S_MAX: Seconds = 2.0
SALVAGE_S: Seconds = 5.0
# Two steady clocks drift by up to 100 ppm: 30 ms in this time.
ANCHOR_S_MAX: Seconds = 300.0
PENDING_MAX = 256
SALVAGED_MAX = 100_000
OnEvent = Callable[[str, int, Event], None]
OnHeard = Callable[[str, int, Seconds], None]


class Follower:
    """Follows one site. `on_event(feed, sequence, event)` gets each new event at once, before it
    is on disk (it is read again if we die in between); `on_heard(feed, sequence, at)` that all was
    heard as of `at`; `tell(code, text)` gets what an operator must know, once each time it changes.
    """

    def __init__(
        self,
        feed: Feed,
        cursor: Cursor,
        store: FeedStore,
        *,
        on_event: OnEvent,
        on_heard: OnHeard,
        now: Callable[[], Seconds],
        tell: Callable[[str, str], None],
    ) -> None:
        self._feed = feed
        self._cursor = cursor
        self._store = store
        self._on_event = on_event
        self._on_heard = on_heard
        self._now = now
        self._tell = tell
        self._pending: list[bytes] = []
        self._backoff_s = BACKOFF_S_MIN
        self._trouble = ""
        self._salvaged: set[str] = set()
        self.heard_at: Seconds = 0.0

    @property
    def name(self) -> str:
        """The site."""
        return self._cursor.name

    @property
    def sequence(self) -> int:
        """Of the last event that came."""
        return self._cursor.sequence

    async def run(self) -> None:
        """Until cancelled. No fault of the other side ends it."""
        while True:
            try:
                await self._listen()
                fault = "ended"
            except FeedError as error:
                fault = error.fault
                self._troubled(f"feed-{fault}", str(error))
            except OSError as error:
                fault = "silent"
                self._troubled("feed-silent", str(error))
            await self._keep()
            if fault in ("regressed", "forked"):
                await self._salvage()
                await asyncio.sleep(SALVAGE_S)
            else:
                await asyncio.sleep(self._backoff_s * (0.5 + random.random()))
                self._backoff_s = min(BACKOFF_S_MAX, 2 * self._backoff_s)

    async def _listen(self) -> None:
        nonce, asked_at = secrets.token_hex(16), self._now()
        first: Beat | None = None
        following = self._feed.follow(self._cursor.sequence, nonce)
        try:
            async for kind, line in following:
                if kind == "entry":
                    await self._take(line)
                    continue
                beat = self._cursor.hear(line, nonce)
                first = first or beat
                await self._keep()
                self._heard(beat.sequence, asked_at + max(0.0, beat.up_s - first.up_s))
                if beat.up_s - first.up_s > ANCHOR_S_MAX:
                    self._backoff_s = 0.0
                    return
        finally:
            await following.aclose()

    async def _take(self, line: bytes) -> None:
        taken = self._cursor.take(line)
        if taken is not None:
            self._pending.append(line)
            self._deliver(taken)
            if len(self._pending) >= PENDING_MAX:
                await self._keep()

    def _deliver(self, taken: Taken) -> None:
        self._on_event(self.name, taken.sequence, taken.signed.event)

    def _heard(self, sequence: int, said_at: Seconds) -> None:
        self.heard_at = min(self._now(), max(self.heard_at, said_at))
        self._backoff_s = BACKOFF_S_MIN
        if self._trouble:
            self._trouble = ""
            self._tell("feed-heard", f"{self.name} is heard again, up to {sequence}")
        self._on_heard(self.name, sequence, self.heard_at)

    async def _keep(self) -> None:
        """What came is on disk, or will be tried again."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        try:
            await asyncio.to_thread(self._store.append, pending)
        except OSError as error:
            self._pending = pending + self._pending
            self._troubled("feed-not-kept", f"{self._store.path}: {error.strerror or error}")

    async def _salvage(self) -> None:
        """Its past is another one now: it is not fresh, but what it revokes holds."""
        cursor, nonce = self._cursor.again(), secrets.token_hex(16)
        following = self._feed.follow(0, nonce)
        try:
            async for kind, line in following:
                if kind == "beat":
                    return
                taken = cursor.take(line)
                event_id = taken.signed.event.id if taken is not None else ""
                if taken is None or event_id in self._salvaged:
                    continue
                if len(self._salvaged) < SALVAGED_MAX:
                    self._salvaged.add(event_id)
                self._deliver(taken)
        except (FeedError, OSError) as error:
            self._troubled("feed-not-read-again", str(error))
        finally:
            await following.aclose()

    def _troubled(self, code: str, text: str) -> None:
        if code != self._trouble:
            self._trouble = code
            self._tell(code, f"{self.name}: {text}")
