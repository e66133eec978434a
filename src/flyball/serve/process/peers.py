"""What work do the other gateway workers have in flight, as of a few milliseconds ago?

One shared memory file (memfd) holds float64 rows [worker][4 + endpoint * 7]: a header of sequence,
fleet generation, endpoint count and time of publication, then per endpoint running, pending,
pending prefill tokens, KV tokens, and requests, prefill and KV tokens that room is held for. A
worker writes only its own row and reads the others'. The sequence is odd while a row is being
written (a seqlock, Lameter 2005): a torn row is not believed, and read again at the next turn. Rows
of another fleet generation are skipped, as their endpoint numbers mean others.
"""

import mmap
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flyball.model.signals import PeerLoad
from flyball.units import Seconds

HEADER = 4
FIGURES = 7
_SEQUENCE, _GENERATION, _COUNT, _AT = range(HEADER)


class PeerTable:
    """The shared rows. Every process maps the same file descriptor.

    `endpoints_max` bounds the fleet; untouched pages cost no memory. Raises ValueError where the
    file is smaller than the rows need.
    """

    def __init__(self, fd: int, workers: int, endpoints_max: int) -> None:
        columns = HEADER + FIGURES * endpoints_max
        size = workers * columns * 8
        if os.fstat(fd).st_size < size:
            raise ValueError(f"the peer table has {os.fstat(fd).st_size} bytes, needs {size}")
        self._map = mmap.mmap(fd, size)
        self._rows = np.frombuffer(self._map, dtype=np.float64).reshape(workers, columns)
        self.endpoints_max = endpoints_max
        self.workers = workers

    @staticmethod
    def create(workers: int, endpoints_max: int) -> int:
        """A file descriptor of a zeroed table of that size; the caller closes it."""
        fd = os.memfd_create("flyball-peers")
        os.ftruncate(fd, workers * (HEADER + FIGURES * endpoints_max) * 8)
        return fd

    def publish(
        self, worker: int, generation: int, loads: Sequence[PeerLoad], count: int, at: Seconds
    ) -> None:
        """Write this worker's own work in flight; endpoints not listed carry none.

        Raises ValueError if `count` (endpoints of the fleet) is above `endpoints_max`.
        """
        if count > self.endpoints_max:
            raise ValueError(f"{count} endpoints do not fit a table of {self.endpoints_max}")
        dense = np.zeros((count, FIGURES))
        for load in loads:
            dense[load.endpoint] = (
                load.running,
                load.pending,
                load.pending_prefill_tokens,
                load.kv_tokens,
                load.reserved,
                load.reserved_prefill_tokens,
                load.reserved_kv_tokens,
            )
        row = self._rows[worker]
        row[_SEQUENCE] += 1.0
        row[_GENERATION] = generation
        row[_COUNT] = count
        row[_AT] = at
        row[HEADER : HEADER + count * FIGURES] = dense.ravel()
        row[_SEQUENCE] += 1.0

    def clear(self, worker: int) -> None:
        """Zero the row of a worker that died; its sequence moves on, so that readers see it."""
        row = self._rows[worker]
        following = row[_SEQUENCE] + (2.0 - row[_SEQUENCE] % 2.0)
        row[1:] = 0.0
        row[_SEQUENCE] = following

    def sequences(self) -> tuple[float, ...]:
        """One number per worker that changes with each publication; odd = being written."""
        return tuple(self._rows[:, _SEQUENCE].tolist())

    def totals(self, generation: int, count: int, without: int = -1) -> NDArray[np.float64] | None:
        """Sum over the workers (less `without`), shape (count, 7); None if a row was torn."""
        total = np.zeros(count * FIGURES)
        for worker in range(self.workers):
            if worker == without:
                continue
            row = self._rows[worker]
            before = row[_SEQUENCE]
            if row[_GENERATION] != generation or row[_COUNT] != count:
                continue
            copy = row[HEADER : HEADER + count * FIGURES].copy()
            if before % 2.0 or row[_SEQUENCE] != before:
                return None
            total += copy
        return total.reshape(count, FIGURES)


class PeerExchange:
    """One worker's side: publish what changed, and say what the others carry when that changed."""

    def __init__(self, table: PeerTable, worker: int) -> None:
        self._table = table
        self._worker = worker
        self._published: tuple[int, tuple[PeerLoad, ...]] | None = None
        self._seen: tuple[float, ...] = ()
        self._seen_generation = -1

    def publish(self, generation: int, loads: Sequence[PeerLoad], count: int, at: Seconds) -> None:
        """Write our row if it differs from what stands there."""
        now = (generation, tuple(loads))
        if now != self._published:
            self._table.publish(self._worker, generation, loads, count, at)
            self._published = now

    def read(self, generation: int, count: int) -> tuple[PeerLoad, ...] | None:
        """The others' work in flight per endpoint (non-zero only); None if nothing changed."""
        sequences = self._others()
        if sequences == self._seen and generation == self._seen_generation:
            return None
        total = self._table.totals(generation, count, without=self._worker)
        if total is None:
            return None
        self._seen, self._seen_generation = sequences, generation
        return tuple(
            PeerLoad(
                endpoint=int(index),
                running=int(total[index, 0]),
                pending=int(total[index, 1]),
                pending_prefill_tokens=float(total[index, 2]),
                kv_tokens=float(total[index, 3]),
                reserved=int(total[index, 4]),
                reserved_prefill_tokens=float(total[index, 5]),
                reserved_kv_tokens=float(total[index, 6]),
            )
            for index in np.flatnonzero(total.any(axis=1))
        )

    def _others(self) -> tuple[float, ...]:
        sequences = self._table.sequences()
        return sequences[: self._worker] + sequences[self._worker + 1 :]
