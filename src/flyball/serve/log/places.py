"""To which log does each record go, where each jurisdiction has one of its own?

What a request asked and got goes to the log of the jurisdiction in which its attempt ran, so that
it never leaves that place; an outcome follows its intent, a commitment the last attempt. All else
(refusals, loops, prices, acts of people) goes to the gateway's own log. Only checkpoints cross
borders, by witnesses.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from flyball.governor.commands import Notice
from flyball.ledger.record import encode
from flyball.model.acts import Commitment
from flyball.model.decision import Intent, Outcome, Record
from flyball.model.fleet import Fleet
from flyball.serve.config.logs import JurisdictionLogSection
from flyball.serve.config.model import LedgerSection
from flyball.serve.log.objects import ObjectLog
from flyball.serve.log.recording import Recorder
from flyball.serve.log.signing import Signing, load_signing
from flyball.serve.log.writer import LedgerError, Recovery
from flyball.units import Seconds

OPEN_MAX = 1_048_576  # attempts under way whose place is remembered
_DAY_S: Seconds = 86_400.0
_RAN = (b'{"kind":"intent"', b'{"kind":"outcome"', b'{"kind":"commitment"')


class _Where(Struct):
    kind: str
    id: str
    endpoint: str = ""
    attempt: int = 0
    attempts: int = 0


_where = msgspec.json.Decoder(_Where)


class Places:
    """The gateway's own log, and those of jurisdictions by the names of their endpoints.

    Answers as one `Recorder` does: nothing can be recorded while one of the logs takes nothing.
    """

    def __init__(self, own: Recorder, logs: Mapping[str, Recorder], fleet: Fleet) -> None:
        self._own = own
        self._logs = dict(logs)
        self._open: OrderedDict[tuple[str, int], Recorder] = OrderedDict()
        self.adopt(fleet)

    def adopt(self, fleet: Fleet) -> None:
        """The endpoints are these from now on."""
        places = {pool.name: fleet.site_of(pool).jurisdiction for pool in fleet.pools}
        self._of = {
            endpoint.name: self._logs.get(places[endpoint.pool], self._own)
            for endpoint in fleet.endpoints
        }

    @property
    def recovery(self) -> Recovery:
        """What was found on opening, in all logs together."""
        found = [one.recovery for one in self._all()]
        return Recovery(*(sum(part) for part in zip(*found, strict=True)))

    @property
    def detail(self) -> str:
        """Why nothing can be recorded now; "" if it can."""
        return next((one.detail for one in self._all() if one.detail), "")

    @property
    def acked(self) -> int:
        """How many records are durable."""
        return sum(one.acked for one in self._all())

    def when_durable(self, act: Callable[[], None]) -> None:
        """Do it on the loop once every record given so far is durable, in each log."""
        left = self._all()

        def go_on() -> None:
            if left:
                left.pop().when_durable(go_on)
            else:
                act()

        go_on()

    def record(self, record: Record) -> None:
        """Keep one record."""
        if isinstance(record, Intent | Outcome | Commitment):
            self._log_of(encode(record)).record(record)
        else:
            self._own.record(record)

    def record_encoded(self, entries: list[bytes]) -> None:
        """Keep a batch that a worker encoded, each entry where it belongs."""
        parts: dict[int, tuple[Recorder, list[bytes]]] = {}
        for entry in entries:
            log = self._log_of(entry)
            parts.setdefault(id(log), (log, []))[1].append(entry)
        for log, part in parts.values():
            log.record_encoded(part)

    def settle_lost(self, at: Seconds) -> int:
        """Close, in each log, the requests that were open when its last writer was killed."""
        return sum(one.settle_lost(at) for one in self._all())

    def close(self) -> int:
        """Write what waits; how many records could not be written."""
        return sum(one.close() for one in self._all())

    def _all(self) -> list[Recorder]:
        return [self._own, *self._logs.values()]

    def _log_of(self, entry: bytes) -> Recorder:
        if not entry.startswith(_RAN):
            return self._own
        found = _where.decode(entry)
        if found.kind == "intent":
            log = self._of.get(found.endpoint, self._own)
            self._open[found.id, found.attempt] = log
            if len(self._open) > OPEN_MAX:
                self._open.popitem(last=False)
            return log
        if found.kind == "commitment":
            return self._of.get(found.endpoint, self._own)
        log = self._open.pop((found.id, found.attempts), None)
        return log or self._of.get(found.endpoint, self._own)


def open_places(
    section: LedgerSection,
    fleet: Fleet,
    on_change: Callable[[bool, str], None],
    on_notice: Callable[[Notice], None],
) -> Recorder | Places:
    """The log, or all logs, of a fleet file. Make and use them on the running loop.

    `on_change(available, detail)`: available = all of them are. Raises LedgerError if one cannot be
    opened; those opened before it are closed again.
    """
    opened: dict[str, Recorder] = {}

    def changed(available: bool, detail: str) -> None:
        others = next((one.detail for one in opened.values() if one.detail), "")
        on_change(available and not others, detail or others)

    days = section.retention_days
    try:
        for name, one in {"": section, **section.jurisdictions}.items():
            opened[name] = Recorder(
                Path(one.folder),
                queue_max=section.queue_max,
                on_change=changed,
                on_notice=on_notice,
                signing=_signing(one),
                retention_s=None if days is None else days * _DAY_S,
                mirror=ObjectLog(one.mirror) if one.mirror else None,
            )
    except LedgerError:
        for log in opened.values():
            log.close()
        raise
    own = opened.pop("")
    return Places(own, opened, fleet) if opened else own


def _signing(one: LedgerSection | JurisdictionLogSection) -> Signing:
    signing = load_signing(one.keys, one.trust)
    origin = one.origin if isinstance(one, JurisdictionLogSection) else None
    if origin is None or origin == signing.origin:
        return signing
    if signing.signers:
        raise LedgerError(
            f"The log in {one.folder} has the origin {origin}, its keys are of {signing.origin}: "
            "leave `origin` out, or name the keys of that origin."
        )
    return msgspec.structs.replace(signing, origin=origin)
