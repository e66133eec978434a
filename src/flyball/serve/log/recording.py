"""Is every record on its way to the log, and does the core learn when none can be taken?

The log's own thread writes; here its faults are brought onto the loop, and what its full queue
turns away is kept, in order and bounded, until it takes records again. One fact goes out: available
or not, with the reason. RecordError (a record too large to be kept) is told and counted.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from time import monotonic, sleep, time

import msgspec

from flyball.governor.commands import Notice
from flyball.ledger.record import RecordError, encode
from flyball.ledger.story import unsettled
from flyball.model.decision import Outcome, Record
from flyball.serve.log.mirror import MirrorThread
from flyball.serve.log.objects import ObjectLog
from flyball.serve.log.prune import RetentionThread
from flyball.serve.log.reader import open_log
from flyball.serve.log.signing import Signing
from flyball.serve.log.store import LedgerStore, Pushback
from flyball.serve.log.writer import LedgerError
from flyball.serve.witness.collect import CosigningThread
from flyball.units import Seconds

RETRY_S: Seconds = 0.02
CLOSE_S_MAX: Seconds = 2.0
KEPT_MAX = 262_144
SLICE = 256
RECORDS_BACK_MAX = 200_000
UNSIGNED = Signing()


class Recorder:
    """Owns the log while the gateway runs. Make and use it on the running loop.

    `on_change(available, detail)` is called when that changes. With witnesses in `signing`,
    checkpoints are cosigned beside it all; records older than `retention_s` are pruned; `mirror`
    gets a copy. Raises LedgerError if the log in `folder` cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        *,
        queue_max: int,
        on_change: Callable[[bool, str], None],
        on_notice: Callable[[Notice], None],
        signing: Signing = UNSIGNED,
        retention_s: Seconds | None = None,
        mirror: ObjectLog | None = None,
        kept_max: int = KEPT_MAX,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._folder = folder
        self._on_change = on_change
        self._on_notice = on_notice
        self._kept: deque[bytes] = deque()
        self._kept_max = kept_max
        self._slice = min(SLICE, queue_max)
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._fault = ""
        self._detail = ""
        self._timer: asyncio.TimerHandle | None = None
        self.lost = 0
        self._store = LedgerStore(
            folder,
            origin=signing.origin,
            signers=signing.signers,
            queue_max=queue_max,
            on_acked=self._on_acked,
            on_fault=self._on_fault,
        )
        self.recovery = self._store.recovery
        self._cosigning = self._retention = self._mirror = None
        if signing.trust is not None:
            self._cosigning = CosigningThread(folder, signing.trust, self._on_cosigned)
        if retention_s is not None:
            self._retention = RetentionThread(folder, retention_s, time, self._on_prune_fault)

        if mirror is not None:
            self._mirror = MirrorThread(folder, mirror, self._on_mirror)

    @property
    def detail(self) -> str:
        """Why nothing can be recorded now; "" if it can."""
        return self._detail

    @property
    def acked(self) -> int:
        """How many records are durable."""
        return self._store.acked

    def when_durable(self, act: Callable[[], None]) -> None:
        """Do it on the loop once every record given so far is durable: at once, or later."""
        index = self._store.next_index + len(self._kept) - 1
        if index < self._store.acked:
            act()
            return
        self._waiting.append((index, act))
        if index < self._store.acked:  # it was written in between, and nobody was told
            self._release()

    def _on_acked(self, index: int) -> None:
        """From the log's thread."""
        if self._waiting:
            with suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        while self._waiting and self._waiting[0][0] < self._store.acked:
            self._waiting.popleft()[1]()

    def record(self, record: Record) -> None:
        """Keep one record."""
        if not self._kept:
            try:
                self._store.append(record)
                return
            except Pushback:
                pass
            except RecordError as fault:
                self._refuse(fault)
                return
        try:
            self._keep([encode(record)])
        except RecordError as fault:
            self._refuse(fault)

    def record_encoded(self, entries: list[bytes]) -> None:
        """Keep a batch that a worker encoded."""
        if not self._kept:
            try:
                self._store.append_encoded(entries)
                return
            except Pushback:
                pass
            except RecordError as fault:
                self._refuse(fault)
                return
        self._keep(entries)

    def settle_lost(self, at: Seconds) -> int:
        """Close the requests that were open when this log's last writer was killed; how many.

        Looks at the last `RECORDS_BACK_MAX` records: what was in flight then stands among them.
        """
        try:
            log = open_log(self._folder)
            records = log.records(max(0, log.size - RECORDS_BACK_MAX))
            open_intents = unsettled(found.record for found in records)
        except (LedgerError, RecordError):  # a log without a checkpoint yet, or of a later version
            return 0
        reason = "the gateway was killed before the outcome was known"
        last = {intent.id: intent.attempt for intent in open_intents}
        for intent in open_intents:
            lost = lost_outcome(intent.id, at, intent.attempt, intent.endpoint, reason)
            is_copy = last[intent.id] != intent.attempt
            self.record(msgspec.structs.replace(lost, outcome="cancelled") if is_copy else lost)
        return len(last)

    def close(self) -> int:
        """Write what waits; how many records could not be written."""
        if self._timer is not None:
            self._timer.cancel()
        until = monotonic() + CLOSE_S_MAX
        while self._kept and monotonic() < until:
            if not self._offer_some():
                sleep(RETRY_S)
        lost = self._store.close() + len(self._kept) + self.lost
        for thread in (self._cosigning, self._retention, self._mirror):
            if thread is not None:
                thread.stop()
        return lost

    def _keep(self, entries: list[bytes]) -> None:
        room = max(0, self._kept_max - len(self._kept))
        self._kept.extend(entries[:room])
        self.lost += max(0, len(entries) - room)
        self._tell()
        if self._timer is None:
            self._timer = self._loop.call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        self._timer = None
        while self._kept and self._offer_some():
            continue
        if self._kept:
            self._timer = self._loop.call_later(RETRY_S, self._retry)
        self._tell()

    def _offer_some(self) -> bool:
        """Hand the first entries kept to the log; False if it takes none."""
        entries = list(islice(self._kept, self._slice))
        try:
            self._store.append_encoded(entries)
        except Pushback:
            return False
        for _ in entries:
            self._kept.popleft()
        return True

    def _refuse(self, fault: RecordError) -> None:
        self.lost += 1
        self._on_notice(Notice("error", "record-refused", str(fault)))

    def _on_cosigned(self, detail: str) -> None:
        """From the cosigning thread."""
        level = "warning" if detail else "info"
        text = f"no quorum of witnesses: {detail}" if detail else "the witnesses cosign again"
        self._say_soon(Notice(level, "ledger-cosign", text))

    def _on_prune_fault(self, text: str) -> None:
        """From the retention thread."""
        self._say_soon(Notice("warning", "ledger-retention", text))

    def _on_mirror(self, detail: str) -> None:
        """From the mirroring thread."""
        level = "warning" if detail else "info"
        self._say_soon(Notice(level, "ledger-mirror", detail or "the copy follows again"))

    def _say_soon(self, notice: Notice) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(self._on_notice, notice)

    def _on_fault(self, available: bool, detail: str) -> None:
        """From the log's thread."""
        try:
            self._loop.call_soon_threadsafe(self._fault_moved, "" if available else detail)
        except RuntimeError:  # the loop is closed: the process ends
            return

    def _fault_moved(self, detail: str) -> None:
        self._fault = detail
        self._tell()

    def _tell(self) -> None:
        full = f"{len(self._kept)} records wait for room in the log's queue" if self._kept else ""
        detail = self._fault or full
        if bool(detail) != bool(self._detail):
            self._detail = detail
            self._on_change(not detail, detail)


def lost_outcome(request_id: str, at: Seconds, attempt: int, endpoint: str, reason: str) -> Outcome:
    """The outcome of a request whose end nobody saw, as the process that held it is gone."""
    return Outcome(
        id=request_id,
        at=at,
        outcome="failed",
        endpoint=endpoint,
        attempts=attempt,
        status=0,
        code="own_fault",
        reason=reason,
        input_tokens=0,
        cached_tokens=0,
        output_tokens=0,
        ttft_s=0.0,
        e2e_s=0.0,
        in_time=False,
        cost_usd=0.0,
    )
