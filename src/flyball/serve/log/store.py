"""How is a record kept without the event loop ever waiting for the disk?

`append` encodes and queues; a thread writes batches. A record counts once its batch is synced:
that is `acked`. Where the disk refuses, the batch and the queue are kept in order and tried again;
a full queue answers with `Pushback`, so the driver refuses requests instead of losing records.
"""

import fcntl
import os
from collections import deque
from collections.abc import Callable, Sequence
from errno import errorcode
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from flyball.ledger.note import Signer
from flyball.ledger.record import RecordError, encode
from flyball.ledger.tiles import ENTRY_BYTES_MAX
from flyball.model.decision import Record
from flyball.serve.log.writer import LedgerError, LogWriter

BATCH_RECORDS_MAX = 1_000
RETRY_S = 0.5


class Pushback(Exception):
    """The queue is full: nothing of this call was taken. Refuse the request, or wait."""


class LedgerStore:
    """One log folder, held by this process alone until `close`.

    Opening repairs what a kill left behind (`recovery` says what) and raises `LedgerError` if the
    folder is held by another process or damaged. Open it after forking workers: a forked child
    would share the lock. `append*` belong to one thread; `on_acked(index of the last durable
    record)` and `on_fault(available, detail)` are called from the writer's thread.
    """

    def __init__(
        self,
        folder: Path,
        *,
        origin: str = "flyball.local/log",
        signers: Sequence[Signer] = (),
        queue_max: int = 65_536,
        linger_s: float = 0.02,
        checkpoint_interval_s: float = 0.25,
        on_acked: Callable[[int], None] | None = None,
        on_fault: Callable[[bool, str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._queue: deque[bytes] = deque()
        self._queue_max = queue_max
        self._linger_s = linger_s
        self._checkpoint_interval_s = checkpoint_interval_s
        self._on_acked = on_acked or (lambda index: None)
        self._on_fault = on_fault or (lambda available, detail: None)
        self._wake = Event()
        self._is_closing = False
        self._batch: list[bytes] = []
        self._batch_is_durable = False
        self._lock = _lock(folder)
        try:
            self._writer = LogWriter(folder, origin=origin, signers=signers)
        except OSError as error:
            os.close(self._lock)
            raise LedgerError(
                f"The log in {folder} cannot be opened: {_say(error)}. "
                "Free space there or correct its access rights, then start again."
            ) from None
        except LedgerError:
            os.close(self._lock)
            raise
        self.recovery = self._writer.recovery
        self.acked = self._writer.size
        self.next_index = self.acked
        self.fault = ""
        self._checkpoint_due_at = 0.0
        self._thread = Thread(target=self._run, name="ledger-write", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Queue one record; it will have the index that `next_index` was. Never blocks.

        Raises Pushback if `queue_max` records wait, RecordError if the record is over 65,535 bytes.
        """
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._queue_max:
            raise Pushback(f"{waiting} records wait for the log in {self._folder}")
        queue.append(encode(record))
        self.next_index += 1
        if waiting == BATCH_RECORDS_MAX - 1:
            self._wake.set()

    def append_encoded(self, entries: list[bytes]) -> None:
        """Queue records that another process encoded, all of them or (Pushback) none.

        Raises RecordError if one of them is over 65,535 bytes.
        """
        if any(len(entry) > ENTRY_BYTES_MAX for entry in entries):
            raise RecordError(f"an encoded record has over {ENTRY_BYTES_MAX} bytes")
        if len(self._queue) + len(entries) > self._queue_max:
            raise Pushback(f"{len(self._queue)} records wait for the log in {self._folder}")
        self._queue.extend(entries)
        self.next_index += len(entries)
        if len(self._queue) >= BATCH_RECORDS_MAX:
            self._wake.set()

    def close(self, timeout_s: float = 10.0) -> int:
        """Write what waits, claim it, release the folder; returns how many records are lost.

        Not 0 only while the disk refuses: then one last try is made.
        """
        self._is_closing = True
        self._wake.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._writer.close()
            os.close(self._lock)
        return self.next_index - self.acked

    # -- the writer's thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                self._cycle()
            except OSError as error:
                self._refused(error)
                if self._is_closing:
                    return
                self._pause(RETRY_S)
                continue
            self._recovered()
            if len(self._queue) >= BATCH_RECORDS_MAX:
                continue
            if self._is_closing and not self._queue:
                return
            self._pause(self._linger_s)

    def _pause(self, seconds: float) -> None:
        if not self._is_closing:
            self._wake.wait(seconds)
        self._wake.clear()

    def _cycle(self) -> None:
        """One batch through all steps. OSError: the next call goes on at the step that failed."""
        self._writer.flush()
        if not self._batch and self._queue:
            count = self._writer.room(min(len(self._queue), BATCH_RECORDS_MAX))
            self._batch = [self._queue.popleft() for _ in range(count)]
        if self._batch:
            self._writer.commit(self._batch)
            batch, self._batch = self._batch, []
            self.acked += len(batch)
            self._on_acked(self.acked - 1)
            self._writer.absorb(batch)
        is_last = self._is_closing and not self._queue
        if is_last or monotonic() >= self._checkpoint_due_at:
            self._writer.checkpoint()
            self._checkpoint_due_at = monotonic() + self._checkpoint_interval_s

    def _refused(self, error: OSError) -> None:
        waiting = len(self._batch) + len(self._queue)
        detail = f"{_say(error)} in {self._folder}; {waiting} records wait"
        if not self.fault:
            self._on_fault(False, detail)
        self.fault = detail

    def _recovered(self) -> None:
        if self.fault:
            self.fault = ""
            self._on_fault(True, "")


def _lock(folder: Path) -> int:
    """Hold the folder's lock file; LedgerError naming the process that holds it already."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise LedgerError(f"The log folder {folder} cannot be used: {_say(error)}.") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(file)
        raise LedgerError(
            f"The log in {folder} is being written by process {holder}. "
            "Stop that process, or name another folder for this one."
        ) from None
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    except OSError:  # a full disk: the lock holds all the same, only its note is missing
        return file
    return file


def _say(error: OSError) -> str:
    name = errorcode.get(error.errno or 0, "I/O error")
    return f"{error.strerror or error} ({name})"
