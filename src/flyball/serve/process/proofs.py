"""Which proofs of possession were used before, by whichever worker of this gateway?

One shared memory file (memfd): buckets of fixed rows, each row 128 bits of a SHA-256 and the Unix
second until which it counts. A bucket changes only under a lock of the file's byte of that bucket
(POSIX record locks, fcntl(2)). What cannot be remembered, or looked up at once, could be used
twice: it is refused. The memory ends with the gateway; a proof counts for a minute (RFC 9449 11.1).
"""

import fcntl
import mmap
import os
from hashlib import sha256
from struct import Struct as Layout

from flyball.units import Seconds

BUCKETS = 16_384
ROWS = 16  # 65,536 proofs a minute fill a quarter: the chance of a full bucket is below 1e-5
TRIES = 4_096
KEEP_S: Seconds = 62.0  # as `authority.holder` accepts a proof: 60 s old, or 2 s ahead
_ROW = Layout("<16sd")
_BUCKET_BYTES = ROWS * _ROW.size


class ProofTable:
    """The shared rows; every process maps the same file descriptor.

    Raises ValueError where the file is smaller than the rows need.
    """

    def __init__(self, fd: int) -> None:
        size = BUCKETS * _BUCKET_BYTES
        if os.fstat(fd).st_size < size:
            raise ValueError(f"the table of proofs has less than {size} bytes")
        self._fd = fd
        self._map = mmap.mmap(fd, size)

    @staticmethod
    def create() -> int:
        """A file descriptor of a zeroed table; the caller closes it."""
        fd = os.memfd_create("flyball-proofs")
        os.ftruncate(fd, BUCKETS * _BUCKET_BYTES)
        return fd

    def use(self, one: str, at: Seconds) -> bool:
        """Whether this is the first use, by any worker, and is remembered now."""
        name = sha256(one.encode()).digest()[:16]
        bucket = int.from_bytes(name[:4], "little") % BUCKETS
        if not self._lock(bucket):
            return False
        try:
            return self._note(name, bucket * _BUCKET_BYTES, at)
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, bucket)

    def _note(self, name: bytes, start: int, at: Seconds) -> bool:
        free = -1
        for place in range(start, start + _BUCKET_BYTES, _ROW.size):
            known, until = _ROW.unpack_from(self._map, place)
            if until < at:
                free = place
            elif known == name:
                return False
        if free < 0:
            return False
        _ROW.pack_into(self._map, free, name, at + KEEP_S)
        return True

    def _lock(self, bucket: int) -> bool:
        """Held by others for microseconds only; by one that stands still, for ever."""
        for _ in range(TRIES):
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, bucket)
            except OSError:
                continue
            return True
        return False
