"""Does every call leave its record, and can strangers not fill the ledger?"""

import asyncio
from pathlib import Path

from aiohttp import web

from flyball.model.acts import AdminCall
from flyball.serve.doors.guard import STRANGERS_MAX, Guard, reply_json
from flyball.serve.doors.parties import Caller, Parties, Refused
from support.oversight import NORTH, plain, section


class World:
    """A guard with one open job, on a port."""

    def __init__(self, folder: Path) -> None:
        self.records: list[AdminCall] = []
        self.at = 100.0
        parties = Parties(section(folder), NORTH)
        self.guard = Guard(parties, self.records.append, lambda: self.at)

    async def open(self) -> str:
        def knock(request: web.Request, body: bytes) -> Caller:
            if not body:
                raise Refused(401, "say something")
            return Caller("ada", "admin")

        async def job(request: web.Request, caller: Caller, body: bytes) -> web.StreamResponse:
            if body == b"fail":
                raise OSError(28, "No space left on device")
            return reply_json({"by": caller.name})

        app = web.Application(client_max_size=1000)
        app.router.add_post("/x", self.guard.open(knock, job))
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"


def test_calls_are_written_down_with_their_outcome(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        url = await world.open()
        assert await plain(url, "POST", "/x?q=secret", b"hi") == (200, {"by": "ada"})
        assert (await plain(url, "POST", "/x", b"fail"))[0] == 507
        assert (await plain(url, "POST", "/x", b""))[0] == 401
        await world.runner.cleanup()
        good, failed, stranger = world.records
        assert (good.by, good.role, good.call, good.allowed) == ("ada", "admin", "POST /x", True)
        assert (failed.status, failed.allowed) == (507, False) and "kept" in failed.reason
        assert (stranger.by, stranger.status, stranger.reason) == ("", 401, "say something")
        assert len({one.id for one in world.records}) == 3

    asyncio.run(run())


def test_strangers_are_written_down_so_many_times_a_second_then_counted(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        url = await world.open()
        for _ in range(STRANGERS_MAX + 15):
            assert (await plain(url, "POST", "/x"))[0] == 401
        assert len(world.records) == STRANGERS_MAX
        assert (await plain(url, "POST", "/x", b"hi"))[0] == 200, "those who are known go on"
        assert "15 calls by strangers" in world.records[-1].reason
        world.at += 1.0
        await plain(url, "POST", "/x")
        assert len(world.records) == STRANGERS_MAX + 2
        await world.runner.cleanup()

    asyncio.run(run())


def test_a_body_beyond_its_bound_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        url = await world.open()
        assert (await plain(url, "POST", "/x", b"x" * 2000))[0] == 413
        await world.runner.cleanup()

    asyncio.run(run())
