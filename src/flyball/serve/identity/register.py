"""Which mandates were granted here, and which old opaque key stands for which of them?

One JSON file of mode 0600, written whole and durably. A token is kept only where an opaque key
stands for it: the key itself is kept as its SHA-256, so that the file lets nobody in by keys.
"""

import os
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from flyball.serve.log.wal import sync_folder, write_all
from flyball.units import Seconds

ENTRIES_MAX = 100_000


class RegisterError(OSError):
    """The file cannot be read or written; the message says why and what to do."""


class Entry(Struct, frozen=True, kw_only=True):
    """A mandate that was granted. `key_sha256` and `token`: only for an opaque key."""

    id: str
    human: str
    by: str
    at: Seconds
    expires_at: Seconds
    root_key: str
    tenant: str = ""
    key_sha256: str = ""
    token: str = ""


class Register:
    """All entries of one file. Raises RegisterError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries = self._read()
        self._by_key = {one.key_sha256: one for one in self.entries if one.key_sha256}

    def add(self, entry: Entry, at: Seconds) -> None:
        """Add one, durably; those expired for long are let go."""
        kept = [one for one in self.entries if one.expires_at > at - 30 * 86_400.0]
        if len(kept) >= ENTRIES_MAX:
            raise RegisterError(f"{self._path} is full: {ENTRIES_MAX} mandates")
        self.entries = [*kept, entry]
        self._write()
        self._by_key = {one.key_sha256: one for one in self.entries if one.key_sha256}

    def token_of(self, key: str) -> str:
        """The token that an opaque key stands for; "" = none."""
        found = self._by_key.get(sha256(key.encode()).hexdigest())
        return found.token if found else ""

    def _read(self) -> list[Entry]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Entry])
        except FileNotFoundError:
            return []
        except msgspec.MsgspecError:
            raise RegisterError(f"{self._path} is no register of mandates") from None
        except OSError as error:
            raise RegisterError(f"{self._path} cannot be read: {error.strerror}") from None

    def _write(self) -> None:
        fresh = self._path.with_name(f".{self._path.name}.new")
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(file, 0o600)
                write_all(file, msgspec.json.encode(self.entries), 0)
                os.fsync(file)
            finally:
                os.close(file)
            os.replace(fresh, self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise RegisterError(f"{self._path} cannot be written: {error.strerror}") from None
