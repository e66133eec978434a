"""Is an order in force here first, told once it is durable, and only in its giver's own name?"""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flyball.authority.revocation.revocation import Event, sign_event
from flyball.authority.revocation.roles import OrderError, Waiting
from flyball.model.acts import Oversight, RevocationSet
from flyball.serve.doors import orders as module
from flyball.serve.doors.orders import Effect, Orders
from flyball.serve.doors.parties import Caller, Parties
from flyball.serve.feeds.own import OwnFeed
from support.oversight import ADA, APO, BOB, EVE, NORTH, VIC, revocation, section, stop

CALLERS = {k.name: Caller(k.name, r) for k, r in
           ((ADA, "admin"), (BOB, "operator"), (VIC, "viewer"), (APO, "approver"))}  # fmt: skip


class Desk:
    """Orders at a site of their own."""

    def __init__(self, folder: Path, *rules: str) -> None:
        given = section(folder, two_persons=rules)
        self.feed = OwnFeed(folder / "own.feed", NORTH, time.monotonic)
        self.applied: list[tuple[Event, int]] = []
        self.orders = Orders(
            given, Parties(given, NORTH), self.feed, NORTH,
            lambda event, sequence: self.applied.append((event, sequence)), time.time,
        )  # fmt: skip

    async def take(self, event: Any, who: Any = ADA) -> Any:
        return await self.orders.take(sign_event(event, who), CALLERS[who.name])


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EFFECT_S", 0.0)


def refused(act: Any) -> int:
    with pytest.raises(OrderError) as told:
        asyncio.run(act())
    return told.value.status


def test_it_is_in_force_and_told_once(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        first, second = stop(), revocation()
        effect = await desk.take(first)
        assert (effect.act, effect.scope, effect.sequence, effect.is_new) == (
            "stop", "class:c", 1, True,
        )  # fmt: skip
        assert (await desk.take(second)).sequence == 2
        again = await desk.take(first)
        assert (again.sequence, again.is_new) == (1, False)
        assert desk.applied == [(first, 1), (second, 2)] and desk.feed.sequence == 2

    asyncio.run(run())


def test_what_it_did_is_added_up_over_the_workers(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        cut = await desk.take(stop())
        gone = await desk.take(revocation())
        seen = {"at": 1.0, "by": "ada", "reason": "r"}
        for number, effect_s in ((3, 0.2), (4, 0.1)):
            desk.orders.watch(
                Oversight(
                    id="o", act="stop", scope="class:c", cut=number, effect_s=effect_s, **seen
                )
            )
            desk.orders.watch(
                RevocationSet(id="r", feed="north", sequence=2, ids=(), cut=1, effect_s=0.3, **seen)
            )
        desk.orders.watch(
            RevocationSet(id="r", feed="south", sequence=2, ids=(), cut=9, effect_s=9.0, **seen)
        )
        found = desk.orders.effect_of(cut.id)
        assert (found.cut, found.effect_s) == (7, 0.2)
        assert desk.orders.effect_of(gone.id).cut == 2
        with pytest.raises(OrderError):
            desk.orders.effect_of("unknown")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("event", "who", "caller", "status"),
    [
        (lambda: stop(), VIC, VIC, 403),
        (lambda: stop(is_stopped=False, by="apo"), APO, APO, 403),
        (lambda: revocation(by="bob"), BOB, BOB, 403),
        (lambda: stop(by="bob"), ADA, ADA, 403),  # in another's name
        (lambda: stop(), ADA, BOB, 403),  # another's order
        (lambda: stop(seconded_by="bob"), ADA, ADA, 403),  # a second person who was not asked
        (lambda: stop(made_at=time.time() - 3600), ADA, ADA, 400),
        (lambda: stop(by="eve"), EVE, ADA, 403),
    ],
)
def test_who_may_not_is_refused(
    tmp_path: Path, event: Any, who: Any, caller: Any, status: int
) -> None:
    """Each event is made when the test runs: an order grows old within minutes."""

    async def run() -> None:
        desk = Desk(tmp_path)
        try:
            await desk.orders.take(sign_event(event(), who), CALLERS[caller.name])
        finally:
            assert desk.applied == [] and desk.feed.sequence == 0

    assert refused(run) == status


def test_two_persons(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path, "resume", "stop all")
        assert isinstance(await desk.take(stop("class:c")), Effect)
        event = stop("all", by="bob")
        assert isinstance(await desk.take(event, BOB), Waiting)
        assert len(desk.applied) == 1
        seconded = msgspec.structs.replace(event, seconded_by="apo")
        sly = msgspec.structs.replace(seconded, scope="class:d")
        for raw, who in (
            (sign_event(msgspec.structs.replace(event, seconded_by="bob"), BOB), BOB),
            (sign_event(seconded, ADA), ADA),
            (sign_event(sly, APO), APO),
            (sign_event(event, APO), APO),
        ):
            with pytest.raises(OrderError):
                await desk.orders.confirm(event.id, raw, CALLERS[who.name])
        assert len(desk.applied) == 1
        effect = await desk.orders.confirm(event.id, sign_event(seconded, APO), CALLERS["apo"])
        assert effect.is_new and desk.applied[1] == (seconded, 2)
        with pytest.raises(OrderError):
            await desk.orders.confirm(event.id, sign_event(seconded, APO), CALLERS["apo"])

    asyncio.run(run())


def test_what_cannot_be_kept_is_in_force_all_the_same_and_said(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        desk.feed.store._entries_max = 0  # a disk that takes no more
        with pytest.raises(OSError, match="full"):
            await desk.take(stop())
        assert len(desk.applied) == 1 and desk.feed.sequence == 0

    asyncio.run(run())


def test_a_provider_revokes_in_the_sites_name(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        event = revocation(by="issuer https://idp", subjects=("human:https://idp|u",))
        assert (await desk.orders.revoke(event)).is_new
        assert not (await desk.orders.revoke(event)).is_new
        assert len(desk.applied) == 1

    asyncio.run(run())
