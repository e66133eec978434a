"""How does a copy of the log come to object storage, behind the gateway's back?

A thread of its own follows the folder: bundles and tiles first, the checkpoint that they bear out
last. So whoever reads the copy, also after a kill between any two writes, finds a sound log that is
at most a little older. The copy is only ever extended: one that this log does not follow from is
left as it is, since it may be evidence.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from flyball.ledger.checkpoint import CheckpointError, parse
from flyball.ledger.proof import growth
from flyball.ledger.tiles import (
    ENTRIES,
    TILE_WIDTH,
    Read,
    TileError,
    pack,
    prunable,
    read_tile,
    tile_path,
    unpack,
    widths,
)
from flyball.ledger.tree import ProofError, verify_consistency
from flyball.ledger.verify import COSIGNED
from flyball.serve.log.objects import ObjectLog
from flyball.serve.log.reader import MINIMUM, files_in, minimum_in
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

EVERY_S: Seconds = 1.0
RETRY_S_MAX: Seconds = 60.0


class Mirror:
    """One folder and its copy. Not thread-safe."""

    def __init__(self, folder: Path, target: ObjectLog) -> None:
        self._read: Read = files_in(folder)
        self._target = target
        self._size = -1
        self._minimum = 0
        self._cosigned = b""

    def catch_up(self) -> int:
        """Bring the copy to the newest checkpoint; returns its size.

        Raises LedgerError if the storage refuses, or the copy is of another log; TileError if the
        folder changed meanwhile. In each case call again.
        """
        cosigned = self._read(COSIGNED)  # before the newest, which is then not older than it
        note = self._read("checkpoint") or b""
        claimed = parse(note.decode())
        if self._size < 0:
            self._size = self._known(claimed.size, claimed.root)
        if claimed.size != self._size:
            for path, data in self._files(self._size, claimed.size):
                self._target.write(path, data)
                if ".p/" not in path:
                    self._target.remove(self._target.below(f"{path}.p/"))
            self._target.write("checkpoint", note)
            self._size = claimed.size
        if cosigned and cosigned != self._cosigned:
            self._target.write(COSIGNED, cosigned)
            self._cosigned = cosigned
        self._prune()
        return self._size

    def _known(self, size: int, root: bytes) -> int:
        """The size of the copy, which this log must follow from."""
        self._minimum = minimum_in(self._target.read)
        note = self._target.read("checkpoint")
        if note is None:
            return 0
        try:
            old = parse(note.decode())
            if old.size:
                proof = growth(old.size, size, self._read)
                verify_consistency(old.size, size, proof, old.root, root)
        except (CheckpointError, ProofError, ValueError) as error:
            raise LedgerError(
                f"{self._target.url} holds a log that this one does not follow from ({error}): it "
                "is left as it is. Name another place in ledger.mirror."
            ) from None
        return old.size

    def _files(self, old: int, size: int) -> Iterator[tuple[str, bytes]]:
        """Bundles, then tiles, of a tree of `size` that one of `old` had not yet whole."""
        first = max(old, minimum_in(self._read)) // TILE_WIDTH
        for index in range(first, -(-size // TILE_WIDTH)):
            width = min(TILE_WIDTH, size - index * TILE_WIDTH)
            yield tile_path(ENTRIES, index, width), self._bundle(index, width)
        for level, last, width in widths(size):
            begin = max(old, minimum_in(self._read)) // TILE_WIDTH ** (level + 1)
            for index in range(begin, last):
                yield tile_path(level, index), self._tile(level, index, TILE_WIDTH)
            if width:
                yield tile_path(level, last, width), self._tile(level, last, width)

    def _tile(self, level: int, index: int, width: int) -> bytes:
        return b"".join(read_tile(self._read, level, index, width))

    def _bundle(self, index: int, width: int) -> bytes:
        path = tile_path(ENTRIES, index, width)
        raw = self._read(path) or self._read(tile_path(ENTRIES, index))
        entries = unpack(raw or b"")[:width]
        if len(entries) < width:
            raise TileError(f"{path} is absent or too short")
        return pack(entries)

    def _prune(self) -> None:
        """What its retention took out of the folder leaves the copy too."""
        minimum = min(minimum_in(self._read), self._size)
        if minimum <= self._minimum:
            return
        self._target.write(MINIMUM, b"%d\n" % minimum)
        begin = self._minimum
        before = dict(prunable(begin))
        for level, count in prunable(minimum):
            first = before.get(level, 0)
            self._target.remove([tile_path(level, index) for index in range(first, count)])
        self._minimum = minimum


class MirrorThread:
    """Keeps the copy near the log until `stop`; waits longer after each failure in a row.

    `on_change(detail)` is called from this thread when the copy falls behind (why) or is well again
    ("").
    """

    def __init__(self, folder: Path, target: ObjectLog, on_change: Callable[[str], None]) -> None:
        self._folder = folder
        self._target = target
        self._on_change = on_change
        self._stopping = Event()
        self._detail = ""
        self._thread = Thread(target=self._run, name="ledger-mirror", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: Seconds = 10.0) -> None:
        """Bring what was claimed last there, once, then end."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        mirror, wait_s, begun = None, EVERY_S, monotonic()
        while True:
            is_last = self._stopping.is_set()
            try:
                mirror = mirror or Mirror(self._folder, self._target)
                mirror.catch_up()
                self._tell("")
                wait_s = EVERY_S
            except (LedgerError, TileError, CheckpointError, OSError) as error:
                if isinstance(error, LedgerError) or monotonic() - begun > RETRY_S_MAX:
                    self._tell(str(error))
                wait_s = min(2 * wait_s, RETRY_S_MAX)
            if is_last:
                return
            self._stopping.wait(wait_s)

    def _tell(self, detail: str) -> None:
        if bool(detail) != bool(self._detail):
            self._detail = detail
            self._on_change(detail)
