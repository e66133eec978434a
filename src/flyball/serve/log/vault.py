"""How are prompts and answers kept so that destroying one key destroys them all?

Each subject has a key of 32 random bytes per month, wrapped by AES-256-GCM under the master key.
From it come, by HMAC-SHA256 with a label, the key of commitments and the key of payloads. Records
hold commitments alone: without the key they say nothing, not even of a text that is guessed.
Erasure overwrites and removes the keys; what was sealed under them can be opened by nobody, copies
included, while the log's tree stays as it is.

    FOLDER/<tag>/<YYYY-MM>.key          nonce (12), wrapped key (48)
    FOLDER/<tag>/erased                 the months whose keys were destroyed
    FOLDER/sealed/<tag>/<YYYY-MM>/<id>.<part>   nonce (12), ciphertext; bound to id and part

`tag` = HMAC-SHA256(master, "subject" || subject), cut to 32 hex digits: no name is on the disk.
"""

import hmac
import os
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flyball.serve.durable import create_durably, replace_durably
from flyball.serve.log.wal import sync_folder
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_CHARS = 32
ERASED = "erased"
Part = Literal["prompt", "answer"]
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_MONTH = re.compile(r"\d{4}-\d{2}")


class Vault:
    """One folder of keys and sealed payloads under one master key (32 bytes)."""

    def __init__(self, folder: Path, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise LedgerError(f"A master key has {KEY_BYTES} bytes, not {len(master)}.")
        self._folder = folder
        self._master = master

    def tag(self, subject: str) -> str:
        """What stands for the subject in records and names of files."""
        return _derived(self._master, "subject", subject.encode()).hex()[:TAG_CHARS]

    def commit(self, subject: str, at: Seconds, part: Part, text: bytes) -> str:
        """The commitment to a text, in hex. Raises LedgerError if the month's key was destroyed."""
        key = _derived(self._key(subject, month_of(at)), "commit")
        return _derived(key, part, text).hex()

    def seal(self, subject: str, at: Seconds, record_id: str, part: Part, text: bytes) -> None:
        """Keep a text, encrypted. Raises LedgerError as `commit`, and for an id that is no name."""
        month = month_of(at)
        path = self._sealed(subject, month, record_id, part)
        nonce = os.urandom(NONCE_BYTES)
        data = self._cipher(subject, month).encrypt(nonce, text, _bound(record_id, part))
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(path, nonce + data)

    def open(self, subject: str, at: Seconds, record_id: str, part: Part) -> bytes:
        """A text that was kept. Raises LedgerError if there is none, its key was destroyed, or it
        is not what was sealed."""
        from cryptography.exceptions import InvalidTag

        month = month_of(at)
        cipher = self._cipher(subject, month, is_new_allowed=False)
        try:
            raw = self._sealed(subject, month, record_id, part).read_bytes()
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(record_id, part))
        except FileNotFoundError:
            raise LedgerError(f"No {part} of {record_id} is kept for that subject.") from None
        except (InvalidTag, ValueError):
            raise LedgerError(f"The {part} kept of {record_id} is not what was sealed.") from None

    def erase(self, subject: str) -> tuple[str, ...]:
        """Destroy all keys of a subject; the months whose keys are gone, also from earlier calls.

        The months are noted before the first key goes, so that a kill between the two is made good
        by calling again. OSError if the disk refuses: call again.
        """
        home = self._folder / self.tag(subject)
        if not home.is_dir():
            return ()
        keys = sorted(home.glob("*.key"))
        months = sorted({*self._erased(home), *(path.stem for path in keys)})
        replace_durably(home / ERASED, "".join(f"{month}\n" for month in months).encode())
        for path in keys:
            with path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        sync_folder(home)
        return tuple(months)

    def _key(self, subject: str, month: str, is_new_allowed: bool = True) -> bytes:
        tag = self.tag(subject)
        home = self._folder / tag
        path = home / f"{month}.key"
        if month in self._erased(home):
            raise LedgerError(f"The keys of that subject for {month} were destroyed.")
        try:
            return self._unwrap(path.read_bytes(), tag, month)
        except FileNotFoundError:
            if not is_new_allowed:
                raise LedgerError(f"There is no key of that subject for {month}.") from None
        key = os.urandom(KEY_BYTES)
        home.mkdir(parents=True, exist_ok=True)
        sync_folder(self._folder)
        nonce = os.urandom(NONCE_BYTES)
        wrapped = nonce + self._wrapping().encrypt(nonce, key, _bound(tag, month))
        if create_durably(path, wrapped):
            return key
        return self._unwrap(path.read_bytes(), tag, month)  # another process was faster

    def _unwrap(self, raw: bytes, tag: str, month: str) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._wrapping().decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(tag, month)
            )
        except (InvalidTag, ValueError):
            raise LedgerError(
                f"The key {tag}/{month} in {self._folder} cannot be unwrapped: it was changed, or "
                "the master key is another one."
            ) from None

    def _wrapping(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(_derived(self._master, "wrap"))

    def _cipher(self, subject: str, month: str, is_new_allowed: bool = True) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(_derived(self._key(subject, month, is_new_allowed), "seal"))

    def _sealed(self, subject: str, month: str, record_id: str, part: Part) -> Path:
        if not _ID.fullmatch(record_id) or record_id.startswith("."):
            raise LedgerError(f"{record_id!r} is no id of a record.")
        return self._folder / "sealed" / self.tag(subject) / month / f"{record_id}.{part}"

    def _erased(self, home: Path) -> set[str]:
        try:
            return set(_MONTH.findall((home / ERASED).read_text()))
        except FileNotFoundError:
            return set()


def month_of(at: Seconds) -> str:
    """Whose key is used at that time: "2026-11", in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


def read_master(path: Path) -> bytes:
    """The master key: 64 hex digits in a file. Raises LedgerError naming the next step."""
    try:
        return bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise LedgerError(
            f"{path} holds no master key ({error}). `flyball erase --new-master {path}` makes one."
        ) from None


def _derived(key: bytes, label: str, text: bytes = b"") -> bytes:
    return hmac.digest(key, label.encode() + b"\x00" + text, sha256)


def _bound(name: str, part: str) -> bytes:
    return f"{name}\x00{part}".encode()
