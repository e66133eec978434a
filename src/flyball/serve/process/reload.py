"""When does a changed fleet file come into force, and what if it is bad?

A file is read off the loop, whole, and all its errors at once. A bad one changes nothing: the
configuration in force stays, and its errors are told. What cannot change while serving (address,
workers, ledger folder) is named, and the rest comes into force.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from flyball.serve.config import Config, ConfigErrors, load
from flyball.serve.config.oversight import OversightSection
from flyball.units import Seconds

WATCH_S: Seconds = 2.0
Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """What changes when the file does: modification time in ns, size, inode. None if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def fixed_changes(old: Config, new: Config) -> list[str]:
    """Keys that differ and only come into force with a restart."""
    pairs = {
        "listen": (old.listen, new.listen),
        "tls": (old.tls, new.tls),
        "workers": (old.workers, new.workers),
        "limits": (old.limits, new.limits),
        "ledger": (old.ledger, new.ledger),
        "telemetry": (old.telemetry, new.telemetry),
        "oversight": (_fixed(old.oversight), _fixed(new.oversight)),
    }
    return [key for key, (before, after) in pairs.items() if before != after]


def _fixed(section: OversightSection | None) -> OversightSection | None:
    """Without what comes into force at once: who may act."""
    if section is None:
        return None
    return msgspec.structs.replace(section, people={}, evaluators={}, two_persons=())


class Reloader:
    """Reads the file on `request` (SIGHUP) and, if it is watched, when it changes.

    `adjust` applies the command line's own settings to what was read, and puts policy bundles in
    (off the loop: it may wait for a registry). `on_config` gets each good configuration that
    differs from the last; `on_refused` the sentences about a bad one; `on_read` follows each read.
    """

    def __init__(
        self,
        path: Path,
        current: Config,
        adjust: Callable[[Config], Config],
        on_config: Callable[[Config], None],
        on_refused: Callable[[str], None],
        on_read: Callable[[], None] = lambda: None,
        watch_s: Seconds = WATCH_S,
    ) -> None:
        self._path = path
        self._current = current
        self._adjust = adjust
        self._on_config = on_config
        self._on_refused = on_refused
        self._on_read = on_read
        self._watch_s = watch_s
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stamp = stamp(path)

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._run(), name="reload")

    def request(self) -> None:
        """Read the file soon, whether it looks changed or not."""
        self._wanted.set()

    async def stop(self) -> None:
        """End; a read under way is waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._until_due()
            self._wanted.clear()
            self._stamp = stamp(self._path)
            await self._read()
            self._on_read()

    async def _until_due(self) -> None:
        """Return when a read was asked for, or a watched file looks other than when last read."""
        while not self._wanted.is_set():
            try:
                await asyncio.wait_for(self._wanted.wait(), self._watch_s)
            except TimeoutError:
                if self._current.watch and stamp(self._path) not in (None, self._stamp):
                    return

    async def _read(self) -> None:
        try:
            found = await asyncio.to_thread(lambda: self._adjust(load(self._path)))
        except ConfigErrors as errors:
            self._on_refused(str(errors))
            return
        except OSError as fault:
            self._on_refused(f"{self._path}: {fault.strerror or fault}")
            return
        if found == self._current:
            return
        try:
            self._on_config(found)
        except Exception as fault:  # a certificate that went away since; a fault of our own
            self._on_refused(f"{self._path}: {type(fault).__name__}: {fault}")
            return
        self._current = found
