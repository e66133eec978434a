"""How does a log get its newest checkpoint cosigned by enough witnesses, without waiting for any?

A thread of its own reads the checkpoint that the writer claimed, sends it with a proof of growth to
each witness of the policy that has a URL, and keeps the note once the quorum is met. The gateway's
loop and the writer know nothing of it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import monotonic

import aiohttp
from msgspec import Struct

from flyball.ledger.checkpoint import parse
from flyball.ledger.note import NoteError, read_note, split_note
from flyball.ledger.proof import growth
from flyball.ledger.tiles import TileError
from flyball.ledger.trust import Trust, Witness, judge
from flyball.ledger.verify import COSIGNED
from flyball.ledger.witness import (
    SIZE_TYPE,
    Submission,
    cosignature_lines,
    parse_known_size,
)
from flyball.serve.durable import replace_durably
from flyball.serve.log.reader import files_in
from flyball.serve.witness.app import PATH
from flyball.units import Seconds

QUORUM_S_MAX: Seconds = 2.0
LOOK_EVERY_S: Seconds = 0.25
FRESH_FOR_S: Seconds = 60.0  # a log that stands still is cosigned again, to show that it does
ANSWER_BYTES_MAX = 1 << 16
TRIES = 3


class RefusedError(Exception):
    """A witness did not cosign; the message says which and why."""


class Round(Struct, frozen=True):
    """One collection: the note with all cosignatures that hold, and who failed and why."""

    note: str
    size: int
    has_quorum: bool
    failures: tuple[str, ...]
    taken_s: Seconds


class Collector:
    """Asks the witnesses of `trust` about the log in `folder`. Use it on one loop."""

    def __init__(
        self, folder: Path, trust: Trust, session: aiohttp.ClientSession, limit_s: Seconds
    ) -> None:
        self._folder = folder
        self._trust = trust
        self._session = session
        self._limit_s = limit_s
        self._known: dict[str, int] = {}

    async def collect(self, note: str) -> Round:
        """Cosignatures on this checkpoint, each witness given `limit_s` from now.

        What meets the quorum is kept as COSIGNED at once, and again with those that came later.
        """
        begun = monotonic()
        size = parse(note).size
        asked = [
            asyncio.create_task(self._ask(one, note, size))
            for one in self._trust.witnesses
            if one.url
        ]
        failures: list[str] = []
        has_quorum = False
        taken_s = 0.0
        for answer in asyncio.as_completed(asked):
            try:
                note += await answer
            except RefusedError as error:
                failures.append(str(error))
                continue
            has_quorum = judge(note, self._trust).has_quorum
            if has_quorum:
                taken_s = taken_s or monotonic() - begun
                replace_durably(self._folder / COSIGNED, note.encode())
        return Round(note, size, has_quorum, tuple(failures), taken_s)

    async def _ask(self, witness: Witness, note: str, size: int) -> str:
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._negotiate(witness, note, size)
        except TimeoutError:
            raise RefusedError(f"{witness.name} did not answer in {self._limit_s:g} s") from None
        except (aiohttp.ClientError, OSError, NoteError, TileError, UnicodeDecodeError) as error:
            raise RefusedError(f"{witness.name}: {error or type(error).__name__}") from None

    async def _negotiate(self, witness: Witness, note: str, size: int) -> str:
        """Its lines that hold. A witness tells what it saw last where we are wrong about that."""
        for _ in range(TRIES):
            old = self._known.get(witness.name, 0)
            if old > size:
                raise RefusedError(
                    f"{witness.name} saw {old} entries and this log has {size}: it was set back to "
                    "an older copy, or somebody else signs with its key"
                )
            proof = await asyncio.to_thread(growth, old, size, files_in(self._folder))
            status, kind, answer = await self._post(witness, Submission(old, proof, note))
            if status == 200:
                self._known[witness.name] = size
                return _lines_that_hold(witness, note, answer)
            if status != 409 or kind != SIZE_TYPE:
                said = answer.strip().split("\n")[0][:200]
                raise RefusedError(f"{witness.name} answered {status}: {said}")
            if parse_known_size(answer) == old:
                raise RefusedError(f"{witness.name} saw another tree of {old} entries: a fork")
            self._known[witness.name] = parse_known_size(answer)
        raise RefusedError(f"{witness.name} told another size each time")

    async def _post(self, witness: Witness, wish: Submission) -> tuple[int, str, str]:
        url = f"{witness.url.rstrip('/')}/{PATH}"
        async with self._session.post(url, data=wish.text().encode()) as answer:
            raw = b""
            async for part in answer.content.iter_any():
                raw += part
                if len(raw) > ANSWER_BYTES_MAX:
                    raise NoteError(f"it answers more than {ANSWER_BYTES_MAX} bytes")
            return answer.status, answer.headers.get("content-type", ""), raw.decode()


def _lines_that_hold(witness: Witness, note: str, answer: str) -> str:
    text, _ = split_note(note)
    lines = "".join(cosignature_lines(answer))
    found = read_note(f"{text}\n{lines}", [witness.key])
    if not found.signed:
        raise NoteError(f"it cosigned with another key than {witness.key.name}")
    return "".join(one.line for one in found.signed)


class CosigningThread:
    """Keeps COSIGNED near the newest checkpoint until `stop`.

    `on_change(detail)` is called from this thread when the quorum is lost (why) or met again ("").
    """

    def __init__(
        self,
        folder: Path,
        trust: Trust,
        on_change: Callable[[str], None],
        limit_s: Seconds = QUORUM_S_MAX,
    ) -> None:
        self._folder = folder
        self._trust = trust
        self._on_change = on_change
        self._limit_s = limit_s
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._detail = ""
        self._thread = Thread(target=self._run, name="ledger-cosign", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: Seconds = 5.0) -> None:
        """Have what was claimed last cosigned, then end."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._work())

    async def _work(self) -> None:
        async with aiohttp.ClientSession() as session:
            collector = Collector(self._folder, self._trust, session, self._limit_s)
            done, done_at, is_last = -1, float("-inf"), False
            while True:
                note = self._newest()
                is_stale = monotonic() - done_at > FRESH_FOR_S
                is_due = note and (parse(note).size != done or is_stale)
                if is_due and await self._round(collector, note):
                    done, done_at = parse(note).size, monotonic()
                if is_last:
                    return
                is_last = await self._pause()

    async def _round(self, collector: Collector, note: str) -> bool:
        try:
            found = await collector.collect(note)
        except OSError as error:
            self._tell(f"{COSIGNED} cannot be written: {error.strerror or error}")
            return False
        failed = "; ".join(found.failures) or "no witness has a URL"
        self._tell("" if found.has_quorum else failed)
        return found.has_quorum

    def _newest(self) -> str:
        """The log's checkpoint; "" while there is none that it signed."""
        try:
            note = (self._folder / "checkpoint").read_bytes().decode()
            judge(note, self._trust)
        except (OSError, NoteError, UnicodeDecodeError):
            return ""
        return note

    def _tell(self, detail: str) -> None:
        if bool(detail) != bool(self._detail):
            self._detail = detail
            self._on_change(detail)

    async def _pause(self) -> bool:
        """Whether to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), LOOK_EVERY_S)
        except TimeoutError:
            return False
        return True
