"""A door on a thread of its own, for tests of commands that call one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click import Command
from click.testing import CliRunner

from flyball.authority.revocation.signer import Signer
from flyball.serve.doors.door import Door
from flyball.serve.feeds.store import FeedStore
from support.oversight import EVE, ROLES, Around, section


class Opened:
    """Where it is, what it told, and the words by which a person calls it."""

    def __init__(self, folder: Path, door: Door, around: Around) -> None:
        self._folder = folder
        self.around = around
        self.url = f"http://127.0.0.1:{door.port}"

    def by(self, name: str) -> tuple[str, ...]:
        """Options that call this door with that person's key."""
        who: Signer = EVE if name == "eve" else ROLES[name][0]
        return ("--key", str(key_file(self._folder, who)), "--url", self.url)

    def told(self) -> list[bytes]:
        """The lines of the site's feed."""
        store = FeedStore(self._folder / "north" / "own.feed")
        try:
            return list(store.lines())
        finally:
            store.close()


@contextmanager
def the_door(folder: Path, **more: Any) -> Iterator[Opened]:
    """Open, with everyone of `ROLES` known."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    around = Around()

    async def open_it() -> Door:
        door = Door(section(folder, **more), around.all)
        door.start()
        return door

    door = asyncio.run_coroutine_threadsafe(open_it(), loop).result(5)
    try:
        yield Opened(folder, door, around)
    finally:
        asyncio.run_coroutine_threadsafe(door.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def key_file(folder: Path, who: Signer) -> Path:
    """The person's key on disk."""
    path = folder / f"{who.name}.person"
    path.touch(mode=0o600)
    path.write_text(who.private_text())
    return path


def shut(folder: Path) -> tuple[str, ...]:
    """Options that call a door where nobody is."""
    return ("--key", str(key_file(folder, EVE)), "--url", "http://127.0.0.1:9")


def ran(command: Command, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(command, list(words))
    return result.exit_code, result.stdout, result.stderr
