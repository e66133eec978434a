"""Where do others read which mandates are revoked? (The status list, and places in it.)

`GET /flyball/status-list` is open to all, as the draft has it. A place is given to a chain by
`POST /flyball/status-list/places`, once; it is kept on disk before it is told.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
from aiohttp import web
from msgspec import Struct

from flyball.authority.revocation.roles import OrderError
from flyball.authority.revocation.signer import Signer
from flyball.authority.revocation.statuslist import (
    MEDIA_TYPE,
    SIZE_MAX,
    TTL_S,
    StatusList,
    status_token,
)
from flyball.governor.events import Revoked
from flyball.serve.doors.fault import DoorFault
from flyball.serve.doors.guard import Guard, reply_json
from flyball.serve.doors.parties import Caller
from flyball.serve.feeds.store import FeedStore
from flyball.units import Seconds

LIST = "/flyball/status-list"
PLACES = "/flyball/status-list/places"


class Registered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chain that has a place. `subjects` as in `Revocation`; `granted_at` = its `not_before`."""

    chain: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    granted_at: Seconds = 0.0


class Register:
    """Gives places and marks those of revoked chains. DoorFault for a damaged file."""

    def __init__(self, path: Path, signer: Signer, url: str, now: Callable[[], Seconds]) -> None:
        self._store = FeedStore(path, SIZE_MAX)
        self._signer = signer
        self._url = url
        self._now = now
        self._list = StatusList()
        self._places: dict[str, int] = {}
        self._known: list[Registered] = []
        self._by_name: dict[str, list[int]] = {}
        self._ids: set[str] = set()
        self._voided: dict[str, Seconds] = {}
        self._lock = asyncio.Lock()
        self._token: tuple[Seconds, str] = (0.0, "")
        try:
            for line in self._store.lines():
                self._give(msgspec.json.decode(line, type=Registered))
        except msgspec.MsgspecError as fault:
            text = f"{path} is damaged ({fault}): put back a copy, or remove it to begin anew"
            raise DoorFault(text) from None

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The list, and how to get a place in it."""
        return [
            web.get(LIST, self._show),
            web.post(PLACES, guard.person("register", self._place)),
        ]

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def revoked(self, event: Revoked) -> None:
        """Mark whom it voids, now and among those that register later."""
        self._token = (0.0, "")
        self._ids.update(event.ids)
        made_at = event.made_at or event.at
        for subject in event.subjects:
            self._voided[subject] = max(made_at, self._voided.get(subject, made_at))
        for name in (*event.ids, *event.subjects):
            for place in self._by_name.get(name, ()):
                self._mark(place)

    async def register(self, entry: Registered) -> int:
        """The chain's place; the same chain has the same. OrderError for a chain that is none."""
        if not 0 < len(entry.chain) <= 16 or len(entry.subjects) > 4 or not all(entry.chain):
            raise OrderError(400, "a chain has 1 to 16 revocation ids")
        async with self._lock:
            last = entry.chain[-1]
            if last not in self._places:
                line = json.dumps(msgspec.to_builtins(entry), separators=(",", ":"))
                await asyncio.to_thread(self._store.append, [line.encode()])
                self._give(entry)
            return self._places[last]

    def token(self) -> str:
        """The signed list, made anew when it changed or got old."""
        at = self._now()
        made_at, token = self._token
        if not token or at - made_at > TTL_S:
            token = status_token(self._list, self._url, at, self._signer)
            self._token = (at, token)
        return token

    def _give(self, entry: Registered) -> None:
        place = len(self._known)
        self._known.append(entry)
        self._places[entry.chain[-1]] = place
        for name in (*entry.chain, *entry.subjects):
            self._by_name.setdefault(name, []).append(place)
        self._mark(place)

    def _mark(self, place: int) -> None:
        entry = self._known[place]
        granted_at, voided = entry.granted_at, self._voided
        is_void = not self._ids.isdisjoint(entry.chain) or any(
            name in voided and granted_at <= voided[name] for name in entry.subjects
        )
        self._list.reach(place)
        if is_void:
            self._list.revoke(place)
            self._token = (0.0, "")

    async def _show(self, request: web.Request) -> web.Response:
        fields = {"cache-control": f"max-age={TTL_S}", "access-control-allow-origin": "*"}
        return web.Response(text=self.token(), content_type=MEDIA_TYPE, headers=fields)

    async def _place(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        try:
            entry = msgspec.json.decode(body, type=Registered)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise OrderError(400, f"the body names no chain: {error}") from None
        place = await self.register(entry)
        return reply_json({"status_list": {"idx": place, "uri": self._url}})
