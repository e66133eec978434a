"""Do people get what their role allows at the door, and a second person a say?"""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec

from flyball.authority.revocation.revocation import sign_event
from flyball.governor.events import StopSet
from flyball.model.acts import AdminCall, Oversight
from flyball.serve.doors.admin import ABOUT, ORDERS, OVERRIDES, OVERSIGHT
from flyball.serve.doors.door import Door
from support.oversight import ADA, APO, BOB, EVE, VIC, Around, Visitor, plain, section, stop


def override(**changed: Any) -> bytes:
    given = {"id": "o1", "scope": "loop:power", "to": "hold", "reason": "why", **changed}
    return json.dumps(given).encode()


def test_a_stop_an_override_and_what_is_told_of_them(tmp_path: Path) -> None:
    async def run() -> None:
        around = Around()
        door = Door(section(tmp_path), around.all)
        door.start()
        bob = Visitor(door, BOB)
        event = stop(by="bob")
        status, told = await bob.ask("POST", ORDERS, sign_event(event, BOB))
        assert (status, told["act"], told["sequence"]) == (200, "stop", 1)
        status, told = await bob.ask("GET", f"{ORDERS}/{event.id}")
        assert (status, told["scope"], told["cut"]) == (200, "class:c", 0)
        status, told = await bob.ask("POST", OVERRIDES, override(for_s=60))
        assert (status, told["act"]) == (200, "override")
        status, told = await Visitor(door, VIC).ask("GET", OVERSIGHT)
        assert told["feeds"] == [{"feed": "north", "sequence": 1, "age_s": 0.0}]
        assert (told["you"], told["waiting"]) == ({"name": "vic", "role": "viewer"}, [])
        await door.stop()
        stops = [one for one in around.events if isinstance(one, StopSet)]
        assert [(one.scope, one.by, one.made_at) for one in stops] == [
            ("class:c", "bob", event.made_at)
        ]
        written = [one for one in around.records if isinstance(one, Oversight)]
        assert [(one.act, one.scope, one.by) for one in written] == [
            ("override", "loop:power=hold", "bob")
        ]
        calls = [one for one in around.records if isinstance(one, AdminCall)]
        assert len(calls) == 4 and all(one.allowed for one in calls)

    asyncio.run(run())


def test_who_may_not_is_refused_and_written_down(tmp_path: Path) -> None:
    async def run() -> None:
        around = Around()
        door = Door(section(tmp_path), around.all)
        door.start()
        raw = sign_event(stop(by="vic"), VIC)
        assert (await Visitor(door, VIC).ask("POST", ORDERS, raw))[0] == 403
        assert (await Visitor(door, EVE).ask("POST", ORDERS, raw))[0] == 401
        assert (await Visitor(door, APO).ask("POST", OVERRIDES, override()))[0] == 403
        assert (await Visitor(door, ADA, "south").ask("GET", OVERSIGHT))[0] == 401
        assert (await Visitor(door, ADA).ask("POST", OVERRIDES, b"{}"))[0] == 400
        assert (await Visitor(door, ADA).ask("POST", ORDERS, b"{}"))[0] == 400
        url = f"http://127.0.0.1:{door.port}"
        assert (await plain(url, "GET", OVERSIGHT))[0] == 401
        status, told = await plain(url, "GET", ABOUT)
        assert (status, told["site"]) == (200, "north")
        await door.stop()
        assert around.events == [] and around.acts == []
        calls = [one for one in around.records if isinstance(one, AdminCall)]
        assert [(one.by, one.status) for one in calls] == [
            ("vic", 403), ("", 401), ("apo", 403), ("", 401), ("ada", 400), ("ada", 400), ("", 401),
        ]  # fmt: skip

    asyncio.run(run())


def test_a_second_person_confirms_stops_and_overrides(tmp_path: Path) -> None:
    async def run() -> None:
        around = Around()
        door = Door(section(tmp_path, two_persons=("resume", "override")), around.all)
        door.start()
        bob, apo = Visitor(door, BOB), Visitor(door, APO)
        event = stop(is_stopped=False, by="bob")
        status, told = await bob.ask("POST", ORDERS, sign_event(event, BOB))
        assert status == 202 and told["waits_for_second_person"]["by"] == "bob"
        assert (await bob.ask("POST", OVERRIDES, override()))[0] == 202
        _, told = await apo.ask("GET", OVERSIGHT)
        assert [one["act"] for one in told["waiting"]] == ["resume", "override"]
        assert around.events == [] and around.acts == []
        seconded = msgspec.structs.replace(event, seconded_by="apo")
        target = f"{ORDERS}/{event.id}/confirm"
        assert (await bob.ask("POST", target, sign_event(seconded, BOB)))[0] == 400
        assert (await apo.ask("POST", target, sign_event(seconded, APO)))[0] == 200
        assert (await bob.ask("POST", f"{ORDERS}/o1/confirm"))[0] == 403
        assert (await apo.ask("POST", f"{ORDERS}/o1/confirm"))[0] == 200
        assert (await apo.ask("POST", f"{ORDERS}/o1/confirm"))[0] == 404
        await door.stop()
        (resumed,) = [one for one in around.events if isinstance(one, StopSet)]
        assert (resumed.by, resumed.seconded_by, resumed.is_stopped) == ("bob", "apo", False)
        (written,) = [one for one in around.records if isinstance(one, Oversight)]
        assert (written.by, written.seconded_by) == ("bob", "apo")

    asyncio.run(run())
