"""How are people, feeds and foreign enforcement points joined to a running governor?

One listener in the process that holds what exists once, on a port of its own. Everything that
comes in becomes events for the governor and the workers, and records.
"""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from flyball.authority.revocation.calls import sign_call
from flyball.authority.revocation.feed import Cursor, FeedError
from flyball.authority.revocation.revocation import Event as Order
from flyball.authority.revocation.revocation import Stop, core_event
from flyball.authority.revocation.signer import KeyTextError, Signer, read_key
from flyball.governor.authority import Authority
from flyball.governor.events import Event, FeedHeard, Revoked, StopSet
from flyball.model.acts import Act as ActRecord
from flyball.model.acts import Oversight, RevocationSet
from flyball.model.verdict import Place
from flyball.serve.config.oversight import FeedSection, OversightSection
from flyball.serve.doors.admin import Desk, FeedState
from flyball.serve.doors.evaluate import Evaluation
from flyball.serve.doors.fault import DoorFault
from flyball.serve.doors.guard import BODY_BYTES_MAX, Guard
from flyball.serve.doors.orders import Orders
from flyball.serve.doors.overrides import Overrides
from flyball.serve.doors.parties import Parties
from flyball.serve.doors.sessions import Sessions
from flyball.serve.doors.status import LIST, Register
from flyball.serve.feeds.follow import Follower
from flyball.serve.feeds.own import FeedDamaged, OwnFeed
from flyball.serve.feeds.store import FeedStore
from flyball.serve.feeds.stream import EventStream
from flyball.serve.process.operator import Act
from flyball.units import Seconds

GRACE_S: Seconds = 1.0
_OTHERS_READ = 0o077


class Surroundings(Struct, frozen=True):
    """What the door needs of the gateway: where events, records, notices and acts on loops go."""

    tell: Callable[[Event], None]
    record: Callable[[ActRecord], None]
    notice: Callable[[str, str, str], None]
    act: Callable[[Act], tuple[int, object]]
    endpoints: Callable[[], Mapping[str, int]]
    authority: Callable[[], Authority]
    place_of: Callable[[str], Place | None]
    now: Callable[[], Seconds]


class Door:
    """Make it on the running loop: it reads what was told before (`standing`), then `start`.

    Raises DoorFault.
    """

    def __init__(
        self, section: OversightSection, around: Surroundings, tls: ssl.SSLContext | None = None
    ) -> None:
        self._section = section
        self._around = around
        self._tls = tls
        self._signer = _site_signer(section)
        folder = Path(section.folder)
        try:
            self._own = OwnFeed(folder / "own.feed", self._signer, time.monotonic)
            self._parties = Parties(section, self._signer)
            self._orders = Orders(
                section, self._parties, self._own, self._signer, self._apply, around.now
            )
            self._standing: list[Revoked | StopSet] = []
            self._heard: dict[str, FeedHeard] = {}
            self._socket = _listener(section.host, section.port)
            self.port: int = self._socket.getsockname()[1]
            self._register = Register(
                folder / "status.list", self._signer, self._status_url(), around.now
            )
            self._sessions = Sessions(section.issuers, self._orders.revoke, around.now)
            self._remember(self._own.name, self._own.events)
            self._stores: list[FeedStore] = []
            self._followers = [self._follower(n, one) for n, one in section.feeds.items()]
        except (FeedDamaged, KeyTextError) as fault:
            raise DoorFault(str(fault)) from None
        except OSError as fault:
            raise DoorFault(f"{folder} cannot be used: {fault.strerror or fault}") from None
        self._desk = Desk(
            self._parties,
            self._orders,
            Overrides(around.act, around.endpoints, around.tell, around.now),
            self._own,
            lambda: self._section.two_persons,
            self._states,
            around.record,
            around.now,
        )
        self._evaluation = Evaluation(around.authority, around.place_of, around.now)
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Listen, and follow the others. What was told before is `standing`."""
        self._tasks = [asyncio.create_task(self._open(), name="door")]
        self._tasks += [asyncio.create_task(one.run(), name=one.name) for one in self._followers]

    async def stop(self) -> None:
        """Let everybody go."""
        self._desk.telling.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        for store in (self._own.store, self._register, *self._stores):
            store.close()

    def adopt(self, section: OversightSection | None) -> None:
        """A new fleet file: who may act, from now on. The rest needs a restart."""
        if section is not None:
            self._section = section
            self._parties.adopt(section)
            self._orders.adopt(section)

    def standing(self) -> list[Revoked | StopSet | FeedHeard]:
        """All that is in force: what a governor must know before its first client."""
        at = self._around.now()
        self._standing = [one for one in self._standing if not _is_past(one, at)]
        return [*self._standing, *self._heard.values()]

    def watch(self, record: RevocationSet | Oversight) -> None:
        """A worker says what an order did."""
        self._orders.watch(record)

    async def _open(self) -> None:
        guard = Guard(self._parties, self._around.record, self._around.now)
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for part in (self._desk, self._sessions, self._register, self._evaluation):
            app.add_routes(part.routes(guard))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, ssl_context=self._tls).start()
        scheme, host = "https" if self._tls else "http", self._section.host
        text = f"{scheme}://{host}:{self.port} (site {self._signer.name})"
        self._around.notice("info", "door-open", text)

    # What others say.

    def _follower(self, name: str, one: FeedSection) -> Follower:
        path = Path(self._section.folder) / "feeds" / f"{name}.feed"
        cursor, store, events = _restored(path, name, read_key(one.key), self._around.notice)
        self._stores.append(store)
        self._remember(name, events)
        return Follower(
            EventStream(one.url, self._authorize_to(name), _trust(one)),
            cursor,
            store,
            on_event=self._came,
            on_heard=self._was_heard,
            now=self._around.now,
            tell=lambda code, text: self._around.notice(
                "info" if code == "feed-heard" else "warning", code, text
            ),
        )

    def _status_url(self) -> str:
        scheme, host = "https" if self._tls else "http", self._section.host
        return self._section.status_url or f"{scheme}://{host}:{self.port}{LIST}"

    def _authorize_to(self, site: str) -> Callable[[str], str]:
        def authorize(target: str) -> str:
            at = self._around.now()
            return sign_call(self._signer, os.urandom(16).hex(), site, "GET", target, b"", at)

        return authorize

    def _came(self, feed: str, sequence: int, order: Order) -> None:
        if self._is_ours(order):
            event = core_event(order, self._around.now(), feed, sequence)
            self._stand(event)
            self._around.tell(event)

    def _stand(self, event: Revoked | StopSet) -> None:
        self._standing.append(event)
        if isinstance(event, Revoked):
            self._register.revoked(event)

    def _was_heard(self, feed: str, sequence: int, at: Seconds) -> None:
        event = self._heard[feed] = FeedHeard(at, feed, sequence)
        self._around.tell(event)

    def _apply(self, order: Order, sequence: int) -> None:
        self._came(self._own.name, sequence, order)

    def _remember(self, feed: str, events: list[Order]) -> None:
        at = self._around.now()
        for sequence, order in enumerate(events, 1):
            if self._is_ours(order):
                self._stand(core_event(order, at, feed, sequence))

    def _is_ours(self, order: Order) -> bool:
        if isinstance(order, Stop):
            return order.site in ("", self._signer.name)
        return not order.until or order.until > self._around.now()

    def _states(self) -> list[FeedState]:
        at = self._around.now()
        own = FeedState(feed=self._own.name, sequence=self._own.sequence, age_s=0.0)
        others = [
            FeedState(
                feed=one.name,
                sequence=one.sequence,
                age_s=max(0.0, at - one.heard_at) if one.heard_at else None,
            )
            for one in self._followers
        ]
        return [own, *others]


def _is_past(event: Revoked | StopSet, at: Seconds) -> bool:
    return isinstance(event, StopSet) and 0.0 < event.until <= at


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as fault:
        raise DoorFault(
            f"cannot listen on {host}:{port}: {fault.strerror or fault}. Set oversight.port."
        ) from None


def _site_signer(section: OversightSection) -> Signer:
    path = Path(section.key)
    try:
        mode = path.stat().st_mode
        signer = Signer.parse(path.read_text())
    except FileNotFoundError:
        step = f"Make one: flyball people new-key {section.site} --key {path}"
        raise DoorFault(f"{path}: there is no key of this site. {step}") from None
    except OSError as fault:
        raise DoorFault(f"{path} cannot be read: {fault.strerror}.") from None
    except (KeyTextError, UnicodeDecodeError) as fault:
        raise DoorFault(f"{path} is no key file: {fault}.") from None
    if mode & _OTHERS_READ:
        raise DoorFault(f"{path} can be read by others: chmod 600 it.")
    if signer.name != section.site:
        raise DoorFault(f"{path} is the key of {signer.name}, but oversight.site is {section.site}")
    return signer


def _restored(
    path: Path, name: str, key: bytes, notice: Callable[[str, str, str], None]
) -> tuple[Cursor, FeedStore, list[Order]]:
    """What was heard of a feed before. A damaged file is put aside: all is read again."""
    cursor, store = Cursor(name, key), FeedStore(path)
    try:
        return cursor, store, cursor.restore(store.lines())
    except FeedError as fault:
        store.close()
        path.replace(path.with_suffix(".damaged"))
        notice("error", "feed-damaged", f"{path}: {fault}; it is put aside and read again")
        return Cursor(name, key), FeedStore(path), []


def _trust(one: FeedSection) -> ssl.SSLContext | None:
    if not one.url.startswith("https:"):
        return None
    return ssl.create_default_context(cafile=one.ca)
