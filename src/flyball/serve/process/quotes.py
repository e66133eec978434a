"""Which of the quotes made by all gateway workers are open, and in whose core is each?

One shared memory file (memfd) of fixed rows, `QUOTES_MAX` for each worker: a state, the worker
whose core has the quote, its expiry, and the quote itself as MessagePack. An id says in which row
it stands, and ends in 128 random bits. A worker that is sent a request under a quote which another
worker's core has takes it over first; the other one sees that within 10 ms and lets its room go. A
row changes only under a lock of the file's byte of that row (POSIX record locks, fcntl(2)), taken
without waiting: who finds it taken is told that the quote is in use.
"""

import fcntl
import mmap
import os
import secrets
from collections.abc import Callable
from struct import Struct as Layout

import msgspec

from flyball.governor.events import QuoteTaken
from flyball.model.quote import Quote
from flyball.units import Bytes, Seconds

QUOTES_MAX = 1024
ROW_BYTES: Bytes = 1024
_PREFIX = "quote_"
_FREE, _OPEN, _BUSY = range(3)
_HEAD = Layout("<BBHd")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Quote).decode


class QuoteTable:
    """The shared rows. Every process maps the same file descriptor.

    Raises ValueError where the file is smaller than the rows need.
    """

    def __init__(self, fd: int, workers: int) -> None:
        size = workers * QUOTES_MAX * ROW_BYTES
        if os.fstat(fd).st_size < size:
            raise ValueError(f"the table of quotes has less than {size} bytes")
        self._fd = fd
        self._map = mmap.mmap(fd, size)
        self.rows = workers * QUOTES_MAX

    @staticmethod
    def create(workers: int) -> int:
        """A file descriptor of a zeroed table; the caller closes it."""
        fd = os.memfd_create("flyball-quotes")
        os.ftruncate(fd, workers * QUOTES_MAX * ROW_BYTES)
        return fd

    def head(self, row: int) -> tuple[int, int, int, float]:
        """(state, worker, bytes of the quote, Unix seconds of expiry)."""
        state, worker, size, expires_at = _HEAD.unpack_from(self._map, row * ROW_BYTES)
        return state, worker, size, expires_at

    def quote(self, row: int) -> Quote | None:
        """The quote in a row; None = there is none, or it is being written."""
        start = row * ROW_BYTES + _HEAD.size
        size = self.head(row)[2]
        try:
            return _decode(self._map[start : start + size])
        except msgspec.MsgspecError:
            return None

    def write(self, row: int, worker: int, quote: Quote) -> bool:
        """Put a quote into a row; False if it does not fit."""
        body = _encode(quote)
        start = row * ROW_BYTES
        if len(body) > ROW_BYTES - _HEAD.size:
            return False
        self._map[start + _HEAD.size : start + _HEAD.size + len(body)] = body
        _HEAD.pack_into(self._map, start, _OPEN, worker, len(body), quote.expires_at)
        return True

    def mark(self, row: int, state: int, worker: int) -> None:
        """Change who has it, and whether it may be taken."""
        _, _, size, expires_at = self.head(row)
        _HEAD.pack_into(self._map, row * ROW_BYTES, state, worker, size, expires_at)

    def try_lock(self, row: int) -> bool:
        """Take the row's lock; False = another process has it."""
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
        except OSError:
            return False
        return True

    def unlock(self, row: int) -> None:
        """Give it back."""
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, row)


class QuoteExchange:
    """One worker's side. `feed` takes `QuoteTaken` to this worker's core."""

    def __init__(
        self,
        table: QuoteTable,
        worker: int,
        feed: Callable[[QuoteTaken], None],
        now: Callable[[], Seconds],
    ) -> None:
        self._table = table
        self._worker = worker
        self._feed = feed
        self._now = now
        self._next = 0
        self._held: dict[str, int] = {}

    def new_id(self) -> str:
        """An id for a quote, with the row that is free for it; nobody can guess it."""
        now = self._now()
        first = self._worker * QUOTES_MAX
        row = first + self._next
        for _ in range(QUOTES_MAX):
            row = first + self._next
            self._next = (self._next + 1) % QUOTES_MAX
            state, _, _, expires_at = self._table.head(row)
            if state == _FREE or expires_at < now:
                break
        return f"{_PREFIX}{row:06x}{secrets.token_hex(16)}"

    def made(self, quote: Quote) -> None:
        """This worker's core gave it: show it to the others."""
        row = self._row(quote.id)
        if row >= 0 and self._table.write(row, self._worker, quote):
            self._held[quote.id] = row

    def closed(self, quote_id: str) -> None:
        """This worker's core used it, or it expired: nobody may take it any more."""
        row = self._held.pop(quote_id, -1)
        if row >= 0 and self._has(row, quote_id):
            self._table.mark(row, _FREE, self._worker)

    def bring(self, quote_id: str) -> None:
        """Have the quote in this worker's core, and keep the others from it until `release`."""
        row = self._row(quote_id)
        if row < 0 or not self._table.try_lock(row):
            return
        try:
            self._take(row, quote_id)
        finally:
            self._table.unlock(row)

    def release(self, quote_id: str) -> None:
        """The request was looked at: a quote that it did not use may be taken by others again."""
        row = self._held.get(quote_id, -1)
        if row >= 0 and self._has(row, quote_id):
            self._table.mark(row, _OPEN, self._worker)

    def look(self) -> None:
        """Let go in this worker's core of what others have taken."""
        for quote_id, row in list(self._held.items()):
            if not self._has(row, quote_id):
                self._let_go(quote_id)

    def _take(self, row: int, quote_id: str) -> None:
        state, worker, _, expires_at = self._table.head(row)
        if state == _BUSY and worker == self._worker:
            return  # our core has it, and will say whether it may be used again
        quote = self._table.quote(row)
        now = self._now()
        if state != _OPEN or quote is None or quote.id != quote_id or expires_at <= now:
            self._let_go(quote_id)
            return
        self._table.mark(row, _BUSY, self._worker)
        if worker != self._worker or quote_id not in self._held:
            self._held[quote_id] = row
            self._feed(QuoteTaken(now, quote_id, quote))

    def _let_go(self, quote_id: str) -> None:
        if self._held.pop(quote_id, -1) >= 0:
            self._feed(QuoteTaken(self._now(), quote_id, None))

    def _has(self, row: int, quote_id: str) -> bool:
        """Whether the row is still this worker's, and still of that quote."""
        state, worker, _, _ = self._table.head(row)
        if state == _FREE or worker != self._worker:
            return False
        quote = self._table.quote(row)
        return quote is not None and quote.id == quote_id

    def _row(self, quote_id: str) -> int:
        """The row that an id names, or -1."""
        digits = quote_id[len(_PREFIX) : len(_PREFIX) + 6]
        if not quote_id.startswith(_PREFIX) or len(quote_id) != len(_PREFIX) + 38:
            return -1
        try:
            row = int(digits, 16)
        except ValueError:
            return -1
        return row if 0 <= row < self._table.rows else -1
