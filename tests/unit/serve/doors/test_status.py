"""Does a chain keep its place in the status list, and is it marked once anything voids it?"""

import asyncio
import time
from pathlib import Path

import pytest

from flyball.authority.revocation.roles import OrderError
from flyball.authority.revocation.statuslist import read_token
from flyball.governor.events import Revoked
from flyball.serve.doors.fault import DoorFault
from flyball.serve.doors.status import Register, Registered
from support.oversight import NORTH

URL = "https://north/list"
HUMAN = "human:https://idp|u1"


def opened(folder: Path) -> Register:
    return Register(folder / "status.list", NORTH, URL, time.time)


def marked(register: Register, count: int) -> list[int]:
    listed = read_token(register.token(), URL, NORTH.public)
    return [place for place in range(count) if listed.status(place)]


def event(*ids: str, subjects: tuple[str, ...] = (), made_at: float = 0.0) -> Revoked:
    return Revoked(100.0, "north", 1, ids, "ada", "r", made_at=made_at, subjects=subjects)


def test_places_are_kept_and_chains_die_with_an_ancestor(tmp_path: Path) -> None:
    async def run() -> None:
        register = opened(tmp_path)
        chains = [Registered(chain=("aa", f"b{n}")) for n in range(3)]
        chains += [Registered(chain=("cc",), subjects=(HUMAN,), granted_at=50.0)]
        places = await asyncio.gather(*(register.register(one) for one in [*chains, chains[0]]))
        assert places == [0, 1, 2, 3, 0] and marked(register, 4) == []
        register.revoked(event("b1"))
        assert marked(register, 4) == [1]
        register.close()
        again = opened(tmp_path)
        again.revoked(event("aa"))
        assert marked(again, 4) == [0, 1, 2]
        assert await again.register(Registered(chain=("aa", "late"))) == 4
        assert marked(again, 5) == [0, 1, 2, 4], "the ancestor was revoked before it came"
        again.close()

    asyncio.run(run())


def test_a_subject_voids_what_was_granted_before(tmp_path: Path) -> None:
    async def run() -> None:
        register = opened(tmp_path)
        for number, granted_at in enumerate((10.0, 60.0)):
            entry = Registered(chain=(str(number),), subjects=(HUMAN,), granted_at=granted_at)
            await register.register(entry)
        register.revoked(event(subjects=(HUMAN,), made_at=50.0))
        assert marked(register, 2) == [0]
        register.revoked(event(subjects=(HUMAN,), made_at=20.0))
        assert marked(register, 2) == [0]
        register.close()

    asyncio.run(run())


def test_what_is_no_chain_has_no_place(tmp_path: Path) -> None:
    async def run() -> None:
        register = opened(tmp_path)
        for chain in ((), ("",), ("a",) * 17):
            with pytest.raises(OrderError):
                await register.register(Registered(chain=chain))
        register.close()

    asyncio.run(run())


def test_a_damaged_register_is_told(tmp_path: Path) -> None:
    (tmp_path / "status.list").write_bytes(b"{broken\n")
    with pytest.raises(DoorFault, match="damaged"):
        opened(tmp_path)
