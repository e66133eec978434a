"""How are prompts and answers committed to, off the loop, before they are forgotten?

The relay keeps what was asked and what came back until the exchange is over; a thread then makes
the commitments (see `vault`), seals the texts if that is wanted, and hands the record back to the
loop. What waits is bounded: while it is too much, or the disk refuses, `detail` says so and the
gateway takes nothing new. A kill loses the commitments that were not made yet, never a text.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import sleep

from flyball.governor.commands import Notice
from flyball.model.acts import Commitment
from flyball.model.decision import Intent, Record
from flyball.model.fleet import Fleet
from flyball.serve.config.model import LedgerSection
from flyball.serve.log.vault import Vault, month_of, read_master
from flyball.serve.log.writer import LedgerError
from flyball.serve.relay.chunks import ChunkScan
from flyball.units import Bytes, Seconds

# Of one answer so much is committed to; the record says if there was more.
TEXT_BYTES_MAX: Bytes = 4 << 20
# Texts of exchanges that are over and wait for their commitments.
HELD_BYTES_MAX: Bytes = 256 << 20
WAITING_MAX = 16_384
RETRY_S: Seconds = 0.2
CLOSE_S_MAX: Seconds = 5.0
CHECK_S: Seconds = 0.01


class Kept:
    """The texts of one exchange. `subject` and `endpoint` are "" until it is placed.

    `is_framed` = the parts of the answer are chunked (RFC 9112 7.1), as they were relayed.
    """

    __slots__ = (
        "answer", "at", "endpoint", "id", "is_cut", "is_framed", "prompt", "size", "subject",
    )  # fmt: skip

    def __init__(self, request_id: str, at: Seconds, prompt: bytes) -> None:
        self.id = request_id
        self.at = at
        self.prompt = prompt
        self.subject = self.endpoint = ""
        self.restart()

    def restart(self) -> None:
        """What came so far was not passed on."""
        self.answer: list[bytes] = []
        self.size: Bytes = 0
        self.is_cut = self.is_framed = False

    def add(self, data: bytes) -> None:
        """More of the answer."""
        self.size += len(data)
        if self.size > TEXT_BYTES_MAX:
            data = data[: max(0, len(data) + TEXT_BYTES_MAX - self.size)]
            self.is_cut = True
        if data:
            self.answer.append(data)

    def text(self) -> bytes:
        """The answer without the framing of its transfer."""
        raw = b"".join(self.answer)
        if not self.is_framed:
            return raw
        decoded = bytearray()
        ChunkScan().feed(raw, decoded)
        return bytes(decoded)


class Texts:
    """All exchanges of one process. Make and use it on the running loop.

    `record` gets each commitment, `tell` what could not be committed to. Raises LedgerError if the
    master key cannot be read.
    """

    def __init__(
        self,
        section: LedgerSection,
        fleet: Fleet,
        record: Callable[[Record], None],
        tell: Callable[[Notice], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._record = record
        self._tell = tell
        self._is_sealing = section.seal
        self._must = section.on_fault == "refuse"
        master = read_master(Path(section.master or ""))
        self._own = Vault(Path(section.vault), master)
        self._vaults = {
            name: Vault(Path(one.vault), master)
            for name, one in section.jurisdictions.items()
            if one.vault
        }
        self._open: dict[str, Kept] = {}
        self._jobs: SimpleQueue[tuple[Kept, Vault] | None] = SimpleQueue()
        self._waiting = 0
        self._held: Bytes = 0
        self._fault = ""
        self._is_closing = False
        self.left_out = 0
        self.adopt(fleet)
        self._thread = Thread(target=self._run, name="commitments", daemon=True)
        self._thread.start()

    def adopt(self, fleet: Fleet) -> None:
        """The endpoints are these from now on."""
        places = {pool.name: fleet.site_of(pool).jurisdiction for pool in fleet.pools}
        self._of: Mapping[str, Vault] = {
            endpoint.name: self._vaults.get(places[endpoint.pool], self._own)
            for endpoint in fleet.endpoints
        }

    @property
    def detail(self) -> str:
        """Why no text can be committed to now; "" if it can."""
        if self._fault:
            return self._fault
        if self._waiting >= WAITING_MAX or self._held >= HELD_BYTES_MAX:
            return f"{self._waiting} texts wait for their commitments"
        return ""

    @property
    def refuses(self) -> str:
        """Why nothing may be taken in now; "" if it may, or the file says to go on regardless."""
        return self.detail if self._must else ""

    def begin(self, request_id: str, at: Seconds, prompt: bytes) -> Kept:
        """A request came."""
        kept = Kept(request_id, at, prompt)
        if self.detail:
            self.left_out += 1
        else:
            self._open[request_id] = kept
        return kept

    def placed(self, record: Record) -> None:
        """A record passes: an intent says whom the request is about, and where it runs."""
        if isinstance(record, Intent) and (kept := self._open.get(record.id)) is not None:
            warrant = record.warrant
            kept.subject = (warrant.human if warrant else "") or record.principal
            kept.endpoint = record.endpoint

    def over(self, kept: Kept) -> None:
        """The exchange ended; what was never placed is forgotten."""
        if self._open.pop(kept.id, None) is None or not kept.endpoint:
            return
        self._waiting += 1
        self._held += kept.size + len(kept.prompt)
        self._jobs.put((kept, self._of.get(kept.endpoint, self._own)))

    async def close(self) -> int:
        """Commit to what waits, for at most `CLOSE_S_MAX`; how many were left out since the start
        or are left over."""
        until = self._loop.time() + CLOSE_S_MAX
        while self._waiting and self._loop.time() < until:
            await asyncio.sleep(CHECK_S)
        self._is_closing = True
        self._jobs.put(None)
        return self.left_out + self._waiting

    # The thread.

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            made = self._made(*job)
            with suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(self._done, job[0], made)

    def _made(self, kept: Kept, vault: Vault) -> Commitment | str:
        while True:
            try:
                made = commitment(kept, vault, self._is_sealing)
            except LedgerError as fault:
                return str(fault)
            except OSError as fault:
                self._fault = f"{fault.filename or 'the vault'}: {fault.strerror or fault}"
                if self._is_closing:
                    return self._fault
                sleep(RETRY_S)
            else:
                self._fault = ""
                return made

    def _done(self, kept: Kept, made: Commitment | str) -> None:
        self._waiting -= 1
        self._held -= kept.size + len(kept.prompt)
        if isinstance(made, Commitment):
            self._record(made)
        else:
            self.left_out += 1
            self._tell(Notice("error", "commitment-failed", f"{kept.id}: {made}"))


def commitment(kept: Kept, vault: Vault, is_sealing: bool) -> Commitment:
    """The record; with `is_sealing` the texts are kept first. Raises as `Vault` does."""
    parts = {"prompt": kept.prompt, "answer": kept.text()}
    made: dict[str, str] = {}
    for part in ("prompt", "answer"):
        text = parts[part]
        if not text:
            continue
        if is_sealing:
            vault.seal(kept.subject, kept.at, kept.id, part, text)
        made[part] = vault.commit(kept.subject, kept.at, part, text)
    return Commitment(
        id=kept.id,
        at=kept.at,
        subject=vault.tag(kept.subject),
        month=month_of(kept.at),
        is_sealed=is_sealing,
        endpoint=kept.endpoint,
        is_cut=kept.is_cut,
        **made,
    )
