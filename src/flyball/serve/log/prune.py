"""How do entries leave the disk when their retention ends, while the tree stays provable?

C2SP tlog-tiles, Pruning: below a minimum index the bundles and the tiles that span nothing newer
go; the hashes over them stay. The minimum is on the disk before the first file goes, so that a kill
leaves files too many, never too few. What came after the checkpoint cosigned last stays.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from flyball.ledger.checkpoint import parse
from flyball.ledger.note import NoteError
from flyball.ledger.tiles import TILE_WIDTH, prunable, tile_path
from flyball.ledger.verify import COSIGNED
from flyball.serve.durable import replace_durably
from flyball.serve.log.reader import MINIMUM, open_log
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

EVERY_S: Seconds = 600.0


def prune(folder: Path, before: Seconds) -> int:
    """Remove whole bundles all of whose records are older than `before` (Unix s), with their tiles.

    Returns the minimum index, below which nothing can be read now. Raises LedgerError if there is
    no log, OSError if the disk refuses: then call again.
    """
    log = open_log(folder)
    limit = min(log.index_at(before), _cosigned_size(folder, log.checkpoint.size))
    minimum = max(log.minimum, limit // TILE_WIDTH * TILE_WIDTH)
    if minimum > log.minimum:
        replace_durably(folder / MINIMUM, b"%d\n" % minimum)
    for level, count in prunable(minimum):
        _remove(folder, level, count)
    return minimum


def _remove(folder: Path, level: int | str, count: int) -> None:
    """Tiles 0 to count - 1 that are still there go, the oldest first.

    What is there is one run that ends at count - 1, also after a kill: so its first one is found
    by looking down from there.
    """
    first = count
    while first and (folder / tile_path(level, first - 1)).exists():
        first -= 1
    for index in range(first, count):
        path = folder / tile_path(level, index)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty yet
            path.parent.rmdir()


def _cosigned_size(folder: Path, size: int) -> int:
    """A log with witnesses must still show growth from what they signed last."""
    try:
        return parse((folder / COSIGNED).read_bytes().decode()).size
    except (FileNotFoundError, NoteError, UnicodeDecodeError):
        return size


class RetentionThread:
    """Prunes what is older than `retention_s`, now and every ten minutes, until `stop`.

    `on_fault(text)` is called from this thread when it cannot.
    """

    def __init__(
        self,
        folder: Path,
        retention_s: Seconds,
        clock: Callable[[], Seconds],
        on_fault: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._retention_s = retention_s
        self._clock = clock
        self._on_fault = on_fault
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="ledger-retention", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: Seconds = 5.0) -> None:
        """End it."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            try:
                prune(self._folder, self._clock() - self._retention_s)
            except (LedgerError, OSError) as error:
                self._on_fault(f"entries past their retention stay: {error}")
            if self._stopping.wait(EVERY_S):
                return
