"""How much of each mandate's budget may have been spent, so that no kill makes anybody forget it?

A file beside the log, one line for each change: block, limit, committed (micro-USD), Unix second,
and a checksum. A line is durable before what it allows is lent, so a kill at any moment leaves at
least what was spent; what was lent and not spent is lost with it. The last line of a block holds.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from flyball.governor.commands import KeepBudget, Notice
from flyball.governor.purses import FORGET_S
from flyball.serve.durable import replace_durably
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

ENDING = ".budgets"
RETRY_S: Seconds = 0.2
# The file is written anew when it has so many lines more than it has budgets.
SPARE_LINES = 65_536
_Account = tuple[int, int, int]  # limit, committed, Unix second of the last change


class BudgetBook:
    """Use it on the running loop, one for each log. Raises LedgerError if the file cannot be read
    or written."""

    def __init__(
        self, log_folder: str, now: Callable[[], Seconds], tell: Callable[[Notice], None]
    ) -> None:
        self._path = Path(log_folder.rstrip("/") + ENDING)
        self._now = now
        self._tell = tell
        self._accounts = _read(self._path, now() - FORGET_S)
        self._lines: list[bytes] = []
        self._count = len(self._accounts)
        self._acts: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._file = -1
        if self._path.exists():
            try:
                self._write_anew()
            except OSError as fault:
                text = f"{self._path} cannot be written: {fault.strerror or fault}."
                raise LedgerError(text) from None

    @property
    def accounts(self) -> tuple[tuple[str, int, int], ...]:
        """(block, limit, committed) of each budget in use."""
        return tuple((block, one[0], one[1]) for block, one in self._accounts.items())

    def keep(self, told: KeepBudget) -> None:
        """Note how much may have been spent from now on; durable before `when_kept` acts."""
        one = (told.limit_micro_usd, told.committed, int(self._now()))
        self._accounts[told.block] = one
        self._lines.append(_line(told.block, one))
        self._begin()

    def when_kept(self, act: Callable[[], None]) -> None:
        """Do it on the loop once all that was noted so far is durable; at once if it is."""
        if self._task is None:
            act()
        else:
            self._acts.append(act)

    async def close(self) -> None:
        """Write what waits, and close the file."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2.0)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_out())

    async def _write_out(self) -> None:
        while self._lines or self._acts:
            lines, self._lines = self._lines, []
            acts, self._acts = self._acts, []
            await self._until_durable(lines)
            for act in acts:
                act()
        self._task = None

    async def _until_durable(self, lines: list[bytes]) -> None:
        is_told = False
        while lines:
            try:
                await asyncio.to_thread(self._append, lines)
                return
            except OSError as fault:
                if not is_told:
                    text = f"{self._path}: {fault.strerror or fault}: no budget can be lent"
                    self._tell(Notice("error", "budgets-not-kept", text))
                is_told = True
                await asyncio.sleep(RETRY_S)

    def _append(self, lines: list[bytes]) -> None:
        if self._count > len(self._accounts) + SPARE_LINES:
            self._write_anew()
        if self._file < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            if not self._path.exists():
                replace_durably(self._path, b"")
            self._file = os.open(self._path, flags, 0o640)
        # A line begins with a line's end: what a failed write left half done is closed by it.
        data = b"\n" + b"".join(lines)
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)
        self._count += len(lines)

    def _write_anew(self) -> None:
        accounts = dict(self._accounts)
        replace_durably(self._path, b"".join(_line(*item) for item in accounts.items()))
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._count = len(accounts)


def _line(block: str, one: _Account) -> bytes:
    text = f"{block} {one[0]} {one[1]} {one[2]}"
    return f"{text} {crc32(text.encode()):08x}\n".encode()


def _read(path: Path, since: Seconds) -> dict[str, _Account]:
    """What stands in the file. What a kill left of a line that was being written counts for
    nothing: it allowed nothing yet. Any other damage could hide what was spent."""
    found: dict[str, _Account] = {}
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return found
    except OSError as fault:
        raise LedgerError(f"{path} cannot be read: {fault.strerror}.") from None
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        parts = line.decode(errors="replace").rsplit(" ", 4)
        text = line.rpartition(b" ")[0]
        if len(parts) != 5 or parts[4] != f"{crc32(text):08x}":
            later = [other for other in lines[number:] if other]
            if not later or any(other.startswith(line) for other in later):
                continue  # torn by a kill, or by a full disk and then written again
            raise LedgerError(
                f"{path}, line {number} is damaged: put back a copy, or remove the file, and with "
                "it the memory of what was spent of each mandate's budget."
            )
        limit, committed, at = map(int, parts[1:4])
        if at >= since:
            found[parts[0]] = limit, committed, at
    return found
