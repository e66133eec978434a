"""Whose keys do tests of oversight use, and what stands around a door under test?"""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.authority.revocation.calls import sign_call
from flyball.authority.revocation.revocation import Revocation, Stop
from flyball.authority.revocation.signer import Signer, key_text
from flyball.governor.authority import Authority, Open
from flyball.governor.events import Event
from flyball.model.acts import Act as ActRecord
from flyball.model.verdict import Place
from flyball.serve.config.oversight import FeedSection, OversightSection, PersonSection
from flyball.serve.doors.door import Door, Surroundings
from flyball.serve.process.operator import Act

POOL = Place(pool="p", site="x", jurisdiction="NO", tier="edge", accelerator="l4")


def signer(name: str, seed: int) -> Signer:
    """A key made from a number, the same in each run."""
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


ADA, BOB, VIC = signer("ada", 1), signer("bob", 2), signer("vic", 3)
APO, EVE = signer("apo", 4), signer("eve", 5)
NORTH, SOUTH = signer("north", 11), signer("south", 12)
ROLES: Mapping[str, tuple[Signer, Any]] = {
    "ada": (ADA, "admin"),
    "bob": (BOB, "operator"),
    "vic": (VIC, "viewer"),
    "apo": (APO, "approver"),
}


def stop(scope: str = "class:c", by: str = "ada", **more: Any) -> Stop:
    """A stop made now."""
    given = {"id": secrets.token_hex(8), "reason": "a test", "made_at": time.time(), **more}
    return Stop(by=by, scope=scope, is_stopped=given.pop("is_stopped", True), **given)


def revocation(*ids: str, by: str = "ada", **more: Any) -> Revocation:
    """A revocation made now."""
    given = {"id": secrets.token_hex(8), "reason": "a test", "made_at": time.time(), **more}
    return Revocation(by=by, ids=ids or ("ab" * 8,), **given)


def section(folder: Path, own: Signer = NORTH, **more: Any) -> OversightSection:
    """A fleet file's section, with the site's key beside it."""
    key = folder / f"{own.name}.key"
    if not key.exists():
        key.write_text(own.private_text())
        key.chmod(0o600)
    people = {n: PersonSection(role=role, key=key_text(k.public)) for n, (k, role) in ROLES.items()}
    return OversightSection(
        site=own.name, key=str(key), port=0, folder=str(folder / own.name), people=people, **more
    )


def feed_of(site: Signer, url: str) -> dict[str, FeedSection]:
    """The section that follows that site."""
    return {site.name: FeedSection(url=url, key=key_text(site.public))}


class Around:
    """A gateway that only takes down what a door tells it."""

    def __init__(self, authority: Authority | None = None) -> None:
        self.events: list[Event] = []
        self.records: list[ActRecord] = []
        self.notices: list[tuple[str, str]] = []
        self.acts: list[Act] = []
        self.now = time.time
        self.all = Surroundings(
            tell=self.events.append,
            record=self.records.append,
            notice=lambda level, code, text: self.notices.append((code, text)),
            act=self._act,
            endpoints=lambda: {"p-0": 0, "p-1": 1},
            authority=lambda: authority or Open(),
            place_of=lambda name: POOL if name == POOL.pool else None,
            now=lambda: self.now(),
        )

    def _act(self, act: Act) -> tuple[int, object]:
        self.acts.append(act)
        return (404, {"error": "no such loop"}) if act.loop == "nothing" else (200, {})


class Visitor:
    """Calls a door as one person."""

    def __init__(self, door: Door, who: Signer, site: str = "north") -> None:
        self._base = f"http://127.0.0.1:{door.port}"
        self._who = who
        self._site = site

    async def ask(
        self, method: str, target: str, body: bytes = b"", **fields: str
    ) -> tuple[int, Any]:
        """Status and JSON of the answer (None where there is none)."""
        said = sign_call(
            self._who, secrets.token_hex(8), self._site, method, target, body, time.time()
        )
        return await plain(self._base, method, target, body, **{"authorization": said, **fields})


async def plain(
    base: str, method: str, target: str, body: bytes = b"", **fields: str
) -> tuple[int, Any]:
    """A call by nobody in particular; `_` in field names stands for `-`."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, base + target, data=body, headers=headers) as answer,
    ):
        text = await answer.text()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text or None


async def until(holds: Any, seconds: float = 5.0) -> None:
    """Wait for it; fails if it does not come."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it did not happen in time"
        await asyncio.sleep(0.01)
