"""What does one gateway worker do, beside relaying: whom does it tell what, and when does it end?

A worker is a process of its own with a listener on the shared port and a `Governor(role="worker")`.
It is started by exec, not by fork: the control process has threads and a loop by the time it must
start a worker again, and a fork of those is not safe. It gets two file descriptors: its link to the
control process and the table of peers. It ends when it is told to drain, or within `ORPHAN_S` when
the link closes, as then nobody records its decisions any more.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable

import msgspec
from msgspec import Struct

from flyball.governor.commands import Notice, Report, TellBudget
from flyball.governor.events import BoardReceived, LedgerChanged, PeersSeen, Tick
from flyball.ledger.record import encode
from flyball.model.decision import ConfigSet, Intent, Outcome, Record
from flyball.model.prices import NO_BOARD
from flyball.model.signals import Settled
from flyball.serve.config import Config
from flyball.serve.process.authority import prepare
from flyball.serve.process.link import (
    Answer,
    Ask,
    AwaitDurable,
    Configure,
    Drain,
    Durable,
    Failed,
    Feed,
    FromControl,
    Hello,
    Link,
    Pulse,
    Records,
    Shared,
)
from flyball.serve.process.pages import JSON, Condition
from flyball.serve.process.peers import PeerExchange, PeerTable
from flyball.serve.process.proofs import ProofTable
from flyball.serve.process.quotes import QuoteTable
from flyball.serve.process.station import (
    Page,
    Station,
    decode_config,
    open_station,
    run_loop,
    with_role,
)
from flyball.serve.relay.sinks import Sinks
from flyball.units import Seconds

EXCHANGE_S: Seconds = 0.01
FLUSH_S: Seconds = 0.002
RETRY_S: Seconds = 0.05
ORPHAN_S: Seconds = 0.7
ANSWER_S_MAX: Seconds = 2.0
RECORDS_MAX = 262_144
ASKED_MAX = 64
BLOCKED = "the control process does not read the records"


class Place(Struct, frozen=True, kw_only=True):
    """What a worker is told on its command line: its number and its file descriptors."""

    worker: int
    workers: int
    link_fd: int
    peers_fd: int
    quotes_fd: int
    proofs_fd: int
    endpoints_max: int
    host: str
    port: int


class RecordBuffer:
    """Encoded entries on their way to the control process: in order, in batches, bounded.

    `lost` counts what did not fit; `send` returns False while the link takes nothing.
    """

    def __init__(self, send: Callable[[Records], bool], records_max: int = RECORDS_MAX) -> None:
        self._send = send
        self._records_max = records_max
        self._batch = Records([], [])
        self._timer: asyncio.TimerHandle | None = None
        self.lost = 0

    def append(self, record: Record) -> None:
        """Queue one record; it leaves within `FLUSH_S`."""
        batch = self._batch
        if len(batch.encoded) >= self._records_max:
            self.lost += 1
            return
        batch.encoded.append(encode(record))
        if isinstance(record, Intent):
            batch.changes.append((record.id, record.attempt, record.endpoint))
        elif isinstance(record, Outcome):
            batch.changes.append((record.id, 0, ""))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Send what is queued; try again later if the link takes nothing now."""
        self._cancel_timer()
        if not self._batch.encoded:
            return
        if self._send(self._batch):
            self._batch = Records([], [])
        else:
            self._timer = asyncio.get_running_loop().call_later(RETRY_S, self.flush)

    @property
    def is_empty(self) -> bool:
        """Whether all of it is on its way."""
        return not self._batch.encoded

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Worker:
    """The worker's side of everything that is shared."""

    _config: Config

    def __init__(self, place: Place) -> None:
        self._place = place
        self._table = PeerTable(place.peers_fd, place.workers, place.endpoints_max)
        self._peers = PeerExchange(self._table, place.worker)
        self._quotes = QuoteTable(place.quotes_fd, place.workers)
        self._proofs = ProofTable(place.proofs_fd)
        self._station: Station | None = None
        self._started: asyncio.Future[Configure] = asyncio.get_running_loop().create_future()
        self._latest: Configure | None = None
        self._early: list[Shared] = []
        self._ended = asyncio.Event()
        self._end_s: Seconds = 0.0
        self._generation = 0
        self._ledger = LedgerChanged(0.0, True)
        self._is_available = True
        self._board = NO_BOARD
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._asked_count = 0
        self._durable: dict[int, Callable[[], None]] = {}
        self._durable_asked = 0
        self._waiting: list[FromControl] | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._exit_code = 0
        self._viewed_at: Seconds = 0.0
        self._view_lag_s: Seconds = 0.0
        self.link: Link[FromControl] = Link(
            FromControl,
            on_frame=self._on_frame,
            on_closed=self._on_orphaned,
            on_blocked=lambda _: self._ledger_moved(),
        )
        self._records = RecordBuffer(self.link.send)

    async def serve(self) -> int:
        """From the first frame to the end; the process's exit code."""
        await self.link.attach(socket.socket(fileno=self._place.link_fd))
        start = await self._started
        self._config = with_role(decode_config(start.config), "worker")
        self._generation = start.generation
        try:
            self._station = station = await self._open(self._config)
        except OSError as fault:
            self.link.send(Failed(self._place.worker, str(fault.strerror or fault)))
            return await self._leave(2)
        self._catch_up(station, start)
        self.link.send(Hello(self._place.worker, os.getpid(), station.port))
        drain_s_max = self._config.limits.drain_s_max
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end, drain_s_max)
        tasks = [
            asyncio.create_task(every(EXCHANGE_S, self._exchange)),
            asyncio.create_task(every(self._config.policy.tick_s, self._tick)),
        ]
        await self._ended.wait()
        await station.drain(self._end_s)
        for task in tasks:
            task.cancel()
        self._peers.publish(self._generation, (), station.endpoints_count, station.now())
        return await self._leave(self._exit_code)

    def _catch_up(self, station: Station, start: Configure) -> None:
        """Take what was told while the listener was being opened."""
        early, self._early = self._early, []
        for event in early:
            station.feed(event)
        if self._latest is not start and self._latest is not None:
            self._configure(station, self._latest)
        if self._board.version:
            station.feed(BoardReceived(station.now(), self._board))
        self._ledger_moved()

    async def _open(self, config: Config) -> Station:
        told, self._early = self._early, []
        return await open_station(
            config,
            worker=self._place.worker,
            host=self._place.host,
            port=self._place.port,
            sinks=Sinks(
                record=self._record,
                solve=lambda problem: None,
                publish=lambda board: None,
                report=self._report,
                notice=self._notice,
                tell_budget=self._tell_budget,
                when_durable=self._when_durable,
            ),
            condition=self._condition,
            page=self._ask,
            quotes=self._quotes,
            proofs=self._proofs,
            is_shared=True,
            told=told,
        )

    def _record(self, record: Record) -> None:
        """A new configuration is written down once, by the control process."""
        if not isinstance(record, ConfigSet):
            self._records.append(record)

    def _when_durable(self, act: Callable[[], None]) -> None:
        """Once the control process says that all records so far are."""
        if len(self._durable) >= self._config.policy.resilience.in_flight_max:
            return  # they wait in vain: their deadlines end them
        self._durable_asked += 1
        self._durable[self._durable_asked] = act
        self._ask_durable(self._durable_asked)

    def _ask_durable(self, number: int) -> None:
        self._records.flush()
        if not self._records.is_empty or not self.link.send(AwaitDurable(number)):
            asyncio.get_running_loop().call_later(RETRY_S, self._ask_durable, number)

    def _tell_budget(self, told: TellBudget) -> None:
        """One that does not get through is money that stays lent: never too much is spent."""
        self.link.send(told)

    def _report(self, settled: tuple[Settled, ...]) -> None:
        self.link.send(Report(settled))

    def _notice(self, notice: Notice) -> None:
        self.link.send(notice)

    def _tick(self) -> None:
        assert self._station is not None
        self._station.feed(Tick(self._station.now()))
        decisions_s = self._station.gateway.take_decision_times()
        self.link.send(Pulse(self._station.new_pauses(), decisions_s, self._view_lag_s))
        self._view_lag_s = 0.0
        if self._records.lost:
            lost, self._records.lost = self._records.lost, 0
            self._notice(
                Notice("error", "records_lost", f"{lost} records found no room on their way")
            )

    def _exchange(self) -> None:
        """Publish what this worker has in flight; take in what the others have."""
        station = self._station
        assert station is not None
        station.quotes.look()
        at = station.now()
        self._view_lag_s = max(self._view_lag_s, at - (self._viewed_at or at))
        self._viewed_at = at
        count = station.endpoints_count
        if count > self._place.endpoints_max:
            return
        self._peers.publish(self._generation, station.in_flight(), count, at)
        others = self._peers.read(self._generation, count)
        if others is not None:
            station.feed(PeersSeen(at, others))

    def _on_frame(self, frame: FromControl) -> None:
        """In order: what comes while a configuration is being prepared waits for it."""
        if self._waiting is not None:
            self._waiting.append(frame)
        else:
            self._take(frame)

    def _take(self, frame: FromControl) -> None:
        match frame:
            case Configure():
                self._on_configure(frame)
            case Feed():
                for event in frame.events:
                    self._on_event(event)
            case Answer():
                waiting = self._asked.pop(frame.number, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame)
            case Drain():
                self._end(frame.drain_s_max)
            case Durable():
                act = self._durable.pop(frame.number, None)
                if act is not None:
                    act()

    def _on_event(self, event: Shared) -> None:
        if isinstance(event, LedgerChanged):
            self._ledger = event
            self._ledger_moved()
            return
        if isinstance(event, BoardReceived):
            self._board = event.board
        if self._station is not None:
            self._station.feed(event)
        else:
            self._early.append(event)

    def _on_configure(self, frame: Configure) -> None:
        """The first configuration starts this worker, later ones replace it."""
        self._latest = frame
        if self._station is not None:
            self._waiting = []
            self._replacing = asyncio.create_task(self._replace(self._station, frame))
        elif not self._started.done():
            self._started.set_result(frame)

    async def _replace(self, station: Station, frame: Configure) -> None:
        """Policies are parsed beside the traffic; then all changes between two events."""
        try:
            await asyncio.to_thread(lambda: prepare(decode_config(frame.config)))
            self._configure(station, frame)
        finally:
            waiting, self._waiting = self._waiting or [], None
        for late in waiting:
            self._on_frame(late)

    def _configure(self, station: Station, frame: Configure) -> None:
        self._config = with_role(decode_config(frame.config), "worker")
        self._generation = frame.generation
        station.replace(self._config)

    def _condition(self) -> Condition:
        detail = "" if self._is_available else self._ledger.detail or BLOCKED
        is_needed = self._config.policy.refuse_without_ledger
        return Condition(draining=self._ended.is_set(), ledger=detail, is_ledger_needed=is_needed)

    def _ledger_moved(self) -> None:
        """Records can be kept if the ledger takes them and the way to it is not blocked."""
        is_available = self._ledger.available and not self.link.is_blocked
        if self._station is None or is_available == self._is_available:
            return
        self._is_available = is_available
        detail = self._ledger.detail or BLOCKED
        self._station.feed(
            LedgerChanged(self._station.now(), is_available, "" if is_available else detail)
        )

    async def _ask(self, path: str) -> Page:
        """A page from the control process; 503 if it does not answer in time."""
        self._asked_count += 1
        number = self._asked_count
        if len(self._asked) < ASKED_MAX and self.link.send(Ask(number, path)):
            waiting = self._asked[number] = asyncio.get_running_loop().create_future()
            try:
                answer = await asyncio.wait_for(waiting, ANSWER_S_MAX)
                return answer.status, answer.content_type, answer.body
            except TimeoutError:
                self._asked.pop(number, None)
        return 503, JSON, b'{"error":"the control process does not answer now; try again"}'

    def _on_orphaned(self, reason: str) -> None:
        """The control process is gone."""
        self._exit_code = 1
        if not self._started.done():
            self._started.cancel()
        self._end(ORPHAN_S)

    def _end(self, drain_s_max: Seconds) -> None:
        """Drain and leave; a later call can only shorten the time that running requests have."""
        if not self._ended.is_set():
            self._end_s = drain_s_max
            self._ended.set()
        elif drain_s_max < self._end_s:
            self._end_s = drain_s_max
            if self._station is not None:
                self._station.cut_drain(drain_s_max)

    async def _leave(self, code: int) -> int:
        """Hand over the last records, within a bound, then close."""
        self._records.flush()
        until = asyncio.get_running_loop().time() + ORPHAN_S
        while self.link.queued_bytes and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.005)
        self.link.close()
        return code


async def every(period_s: Seconds, act: Callable[[], object]) -> None:
    """Call `act` each period, on a grid that does not drift; missed turns are not made up."""
    clock = asyncio.get_running_loop().time
    due = clock() + period_s
    while True:
        await asyncio.sleep(max(0.0, due - clock()))
        act()
        due = max(due + period_s, clock())


async def _serve(place: Place) -> int:
    return await Worker(place).serve()


def main(words: list[str]) -> int:
    """Entry of the process: one argument, the JSON of `Place`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    place = msgspec.json.decode(words[0], type=Place)
    try:
        return run_loop(_serve(place))
    except asyncio.CancelledError:
        return 1


def command_line(place: Place) -> list[str]:
    """How a worker is started."""
    return [
        sys.executable,
        "-m",
        "flyball.serve.process.workers",
        msgspec.json.encode(place).decode(),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
