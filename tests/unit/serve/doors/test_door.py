"""Do two doors keep each other informed, and does one that restarts forget nothing?"""

import asyncio
from pathlib import Path

import msgspec
import pytest

from flyball.authority.revocation.revocation import sign_event
from flyball.governor.events import FeedHeard, Revoked, StopSet
from flyball.model.acts import AdminCall
from flyball.serve.doors.admin import ORDERS
from flyball.serve.doors.door import Door
from flyball.serve.doors.fault import DoorFault
from support.oversight import (
    ADA,
    NORTH,
    SOUTH,
    Around,
    Visitor,
    feed_of,
    revocation,
    section,
    stop,
    until,
)


def revoked(around: Around) -> list[str]:
    return [one.ids[0] for one in around.events if isinstance(one, Revoked)]


def test_what_one_site_revokes_holds_at_the_other(tmp_path: Path) -> None:
    async def run() -> None:
        near, far = Around(), Around()
        north = Door(section(tmp_path, feeds=feed_of(SOUTH, "http://127.0.0.1:9")), near.all)
        url = f"http://127.0.0.1:{north.port}"
        south = Door(section(tmp_path, SOUTH, feeds=feed_of(NORTH, url)), far.all)
        north.start()
        south.start()
        ada = Visitor(north, ADA)
        event = revocation("aa")
        assert (await ada.ask("POST", ORDERS, sign_event(event, ADA)))[0] == 200
        for one in (stop(site="north"), stop("all"), stop(site="south")):
            assert (await ada.ask("POST", ORDERS, sign_event(one, ADA)))[0] == 200
        await until(lambda: any(isinstance(e, FeedHeard) and e.sequence == 4 for e in far.events))
        assert revoked(near) == ["aa"] and revoked(far) == ["aa"]
        stops = [[e.scope for e in a.events if isinstance(e, StopSet)] for a in (near, far)]
        assert stops == [["class:c", "all"], ["all", "class:c"]], "a stop holds at its site"
        assert not [e for e in near.events if isinstance(e, FeedHeard)], "nobody answers there"
        assert [code for code, _ in near.notices] == ["door-open", "feed-silent"]
        listened = [one for one in near.records if isinstance(one, AdminCall) and one.by == "south"]
        await north.stop()
        await south.stop()
        assert listened == [] or listened[0].role == "site"

        again = Around()
        south = Door(section(tmp_path, SOUTH, feeds=feed_of(NORTH, url)), again.all)
        south.start()
        assert [type(one) for one in south.standing()] == [Revoked, StopSet, StopSet]
        await south.stop()

    asyncio.run(run())


def test_a_peers_file_that_is_damaged_is_put_aside_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "north" / "feeds" / "south.feed"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}\n")

    async def run() -> None:
        around = Around()
        door = Door(section(tmp_path, feeds=feed_of(SOUTH, "http://127.0.0.1:9")), around.all)
        assert around.notices[0][0] == "feed-damaged"
        assert path.with_suffix(".damaged").exists() and path.read_bytes() == b""
        door.start()
        await door.stop()

    asyncio.run(run())


def test_who_may_act_changes_while_it_is_open(tmp_path: Path) -> None:
    async def run() -> None:
        around = Around()
        given = section(tmp_path)
        door = Door(given, around.all)
        door.start()
        ada = Visitor(door, ADA)
        raw = sign_event(stop(), ADA)
        door.adopt(msgspec.structs.replace(given, people={}))
        assert (await ada.ask("POST", ORDERS, raw))[0] == 401
        door.adopt(None)
        door.adopt(given)
        assert (await ada.ask("POST", ORDERS, raw))[0] == 200
        await door.stop()

    asyncio.run(run())


def test_what_keeps_it_shut_is_told(tmp_path: Path) -> None:
    given = section(tmp_path)
    key = tmp_path / "north.key"

    def told(**changed: object) -> str:
        async def run() -> str:
            with pytest.raises(DoorFault) as fault:
                Door(msgspec.structs.replace(given, **changed), Around().all)
            return str(fault.value)

        return asyncio.run(run())

    assert "new-key north" in told(key=str(tmp_path / "none"))
    assert "oversight.site is west" in told(site="west")
    assert "cannot listen" in told(host="192.0.2.1")
    assert "cannot be used" in told(folder=str(key))
    key.chmod(0o644)
    assert "chmod 600" in told()
    key.chmod(0o600)
    key.write_text("nonsense")
    assert "no key file" in told()
