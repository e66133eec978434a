"""When may a write-ahead segment go? Only when all that was made from it is on the disk itself.

One sync of the whole file system stands for hundreds of single ones (syncfs(2); since Linux 5.8 it
reports write errors). It can take long where others write much, so it has a thread of its own.
"""

import ctypes
import os
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

SEGMENTS_WAITING_MAX = 4
RETRY_S = 1.0


class Sealer:
    """Syncs and removes segments, one after the other; on a failure the segment stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: SimpleQueue[Path | None] = SimpleQueue()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="ledger-seal", daemon=True)
        self._thread.start()

    def has_room(self) -> bool:
        """Whether another segment may be handed over; if not, the writer's segment grows on."""
        return self._waiting.qsize() < SEGMENTS_WAITING_MAX

    def seal(self, segment: Path) -> None:
        """Remove the segment as soon as its bundles, tiles and checkpoint are durable."""
        self._waiting.put(segment)

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish what waits, within the time given; what is left is sealed on the next opening."""
        self._closing.set()
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (segment := self._waiting.get()) is not None:
            while not self._try(segment):
                if self._closing.wait(RETRY_S):
                    return

    def _try(self, segment: Path) -> bool:
        try:
            sync_file_system(self._folder)
            segment.unlink()
        except OSError:
            return False
        return True


def sync_file_system(folder: Path) -> None:
    """syncfs(2) on the file system of `folder`, sync(2) where that is not known; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(file) != 0:
            raise OSError(ctypes.get_errno(), f"syncfs {folder}")
    finally:
        os.close(file)
