"""Who starts the workers, tells them what all must know, keeps their records, replaces the dead?

The control process relays no request. It holds what exists once (`Center`) and one `Slot` per
worker. A worker that ends unasked is started again after a pause that doubles from 0.1 s to 10 s;
its row in the table of peers is cleared and each request it had open gets an outcome that says so.
One that hangs is killed, then replaced alike: each tells a `Pulse` every tick, and silence is
counted in looks of this process, not in seconds: a pause of its own is not held against them.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import cast

from flyball.governor import commands
from flyball.governor.events import (
    BoardReceived,
    BudgetLent,
    BudgetsKept,
    BudgetTold,
    DrainBegun,
    Event,
    FleetChanged,
    LedgerChanged,
    Observed,
    Sampled,
    WorkerLost,
)
from flyball.governor.governor import Governor
from flyball.model.signals import PeerLoad
from flyball.serve.bundles.desk import Desk
from flyball.serve.config import Config
from flyball.serve.log.recording import lost_outcome
from flyball.serve.process.authority import Shelf, in_force
from flyball.serve.process.budgets import BudgetBook
from flyball.serve.process.center import Center
from flyball.serve.process.link import (
    Answer,
    Ask,
    AwaitDurable,
    Configure,
    Drain,
    Durable,
    Failed,
    Feed,
    FromWorker,
    Hello,
    Link,
    Pulse,
    Records,
    Shared,
)
from flyball.serve.process.link import encode as encode_frame
from flyball.serve.process.peers import PeerTable
from flyball.serve.process.proofs import ProofTable
from flyball.serve.process.quotes import QuoteTable
from flyball.serve.process.routes import page
from flyball.serve.process.station import encode_config, run_name, with_role
from flyball.serve.process.workers import Place, command_line, every
from flyball.serve.relay.clock import Clock
from flyball.serve.telemetry.prometheus import Telemetry
from flyball.units import Seconds

ENDPOINTS_MAX = 4096
START_S_MAX: Seconds = 30.0
RESTART_S_MIN: Seconds = 0.1
RESTART_S_MAX: Seconds = 10.0
SHARE_S: Seconds = 0.005
SHARED_MAX = 4096
GRACE_S: Seconds = 3.0
STUCK_S: Seconds = 5.0
LOOK_S: Seconds = 1.0
SILENT_LOOKS_MAX = 5


class StartFault(Exception):
    """The workers cannot serve; the message says why and what to do."""


class Slot:
    """One worker's place: the process in it now, its link, the requests it has open."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: asyncio.subprocess.Process | None = None
        self.link: Link[FromWorker] | None = None
        self.open: dict[str, tuple[int, str]] = {}
        self.is_ready = asyncio.Event()
        self.failure = ""
        self.pause_s: Seconds = RESTART_S_MIN
        self.restarts = 0
        self.silent_looks = 0

    def look(self) -> bool:
        """One more look without a frame from the worker since the last: does it hang?"""
        self.silent_looks += 1
        most = SILENT_LOOKS_MAX if self.is_ready.is_set() else int(START_S_MAX / LOOK_S)
        return self.link is not None and self.silent_looks > most

    def note(self, changes: list[tuple[str, int, str]]) -> None:
        """Requests opened (attempt > 0) and closed, in order."""
        for request_id, attempt, endpoint in changes:
            if attempt:
                self.open[request_id] = (attempt, endpoint)
            else:
                self.open.pop(request_id, None)

    def kill(self) -> None:
        """End the process at once, if there is one."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()


class Control:
    """Make it on the running loop; `run` returns the exit code."""

    def __init__(
        self,
        config: Config,
        *,
        host: str,
        port: int,
        telemetry: Telemetry,
        adjust: Callable[[Config], Config],
        desk: Desk,
        on_ready: Callable[[], None],
    ) -> None:
        config = with_role(config, "control")
        self._clock = Clock()
        self._shelf = Shelf(config)
        self._governor = Governor(
            config.fleet, config.policy, run_name(self._clock, "c"), self._shelf
        )
        self._budgets = BudgetBook(config.ledger.folder, self._clock.now, self._notice)
        self._feed(BudgetsKept(self._clock.now(), self._budgets.accounts))
        self._center = Center(
            config,
            clock=self._clock,
            telemetry=telemetry,
            feed=self._feed,
            share=self._share,
            loads=self._loads,
            on_config=self._on_config,
            adjust=lambda found: with_role(adjust(found), "control"),
            desk=desk,
        )
        self._host, self._port = host, port
        self._on_ready = on_ready
        self._endpoints_max = max(ENDPOINTS_MAX, 2 * len(config.fleet.endpoints))
        self._peers_fd = PeerTable.create(config.policy.workers, self._endpoints_max)
        self._table = PeerTable(self._peers_fd, config.policy.workers, self._endpoints_max)
        self._quotes_fd = QuoteTable.create(config.policy.workers)
        self._proofs_fd = ProofTable.create()
        self._slots = [Slot(number) for number in range(config.policy.workers)]
        self._generation = 1
        self._shared: list[Shared] = []
        self._share_timer: asyncio.TimerHandle | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Serve until told to end. Raises StartFault if the workers cannot start at all."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._center.reloader.request)
        keepers = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        try:
            await self._until_ready()
            self._feed(in_force(self._center.config, self._center.now()))
            for event in self._center.standing():
                self._feed(event)
            self._center.start()
            self._on_ready()
            tick_s = self._center.config.policy.tick_s
            looks = asyncio.create_task(every(max(LOOK_S, tick_s), self._look))
            await self._stopping.wait()
            looks.cancel()
        finally:
            self._stopping.set()
            await self._end_workers(keepers)
            await self._budgets.close()
            lost = await self._center.stop()
        return 1 if lost else 0

    def _notice(self, notice: commands.Notice) -> None:
        self._center.notice(notice)

    async def _until_ready(self) -> None:
        """All workers listen, or StartFault says what kept one from it."""
        ends = asyncio.get_running_loop().time() + START_S_MAX
        while not all(slot.is_ready.is_set() for slot in self._slots):
            for slot in self._slots:
                if slot.failure:
                    raise StartFault(slot.failure)
            if self._stopping.is_set():
                return
            if asyncio.get_running_loop().time() > ends:
                raise StartFault(f"the workers were not ready within {START_S_MAX:g} s")
            await asyncio.sleep(0.01)

    def _end(self) -> None:
        """First signal: drain. Second: stop now."""
        if self._stopping.is_set():
            for slot in self._slots:
                slot.kill()
            return
        self._center.is_draining = True
        self._feed(DrainBegun(self._center.now()))
        self._stopping.set()

    async def _end_workers(self, keepers: list[asyncio.Task[None]]) -> None:
        drain_s_max = self._center.config.limits.drain_s_max
        for slot in self._slots:
            if slot.link is not None:
                slot.link.send(Drain(drain_s_max))
        _, late = await asyncio.wait(keepers, timeout=drain_s_max + GRACE_S)
        for slot in self._slots:
            slot.kill()
        if late:
            await asyncio.wait(late, timeout=GRACE_S)

    # One worker's life.

    async def _keep(self, slot: Slot) -> None:
        """Start a worker in this place, again and again, until this gateway ends."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            begun = loop.time()
            closed = await self._start(slot)
            assert slot.process is not None
            code = await slot.process.wait()
            with contextlib.suppress(TimeoutError):  # its last records are still in the socket
                await asyncio.wait_for(closed, GRACE_S)
            self._ended(slot, code)
            if self._stopping.is_set():
                return
            if loop.time() - begun > RESTART_S_MAX:
                slot.pause_s = RESTART_S_MIN
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), slot.pause_s)
            slot.pause_s = min(RESTART_S_MAX, 2 * slot.pause_s)
            slot.restarts += 1

    async def _start(self, slot: Slot) -> asyncio.Future[None]:
        """Start the process and tell it all it must know; the future is done when its link ends."""
        ours, theirs = socket.socketpair()
        place = Place(
            worker=slot.number,
            workers=len(self._slots),
            link_fd=theirs.fileno(),
            peers_fd=self._peers_fd,
            quotes_fd=self._quotes_fd,
            proofs_fd=self._proofs_fd,
            endpoints_max=self._endpoints_max,
            host=self._host,
            port=self._port,
        )
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        link: Link[FromWorker] = Link(
            FromWorker,
            on_frame=lambda frame: self._on_frame(slot, frame),
            on_closed=lambda _: closed.set_result(None),
            on_blocked=lambda blocked: self._on_blocked(slot, blocked),
        )
        with theirs:
            slot.process = await asyncio.create_subprocess_exec(
                *command_line(place),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self._peers_fd, self._quotes_fd, self._proofs_fd),
            )
        await link.attach(ours)
        slot.link = link
        slot.silent_looks = 0
        standing = cast("list[Shared]", self._center.standing())
        for begin in range(0, len(standing), SHARED_MAX):  # before it opens its listener
            link.send(Feed(standing[begin : begin + SHARED_MAX]))
        link.send(Configure(encode_config(self._center.config), self._generation))
        detail = self._center.recorder.detail
        now = self._center.now()
        first: list[Shared] = [LedgerChanged(now, not detail, detail)]
        if self._center.board.version:
            first.append(BoardReceived(now, self._center.board))
        link.send(Feed(first))
        if self._stopping.is_set():
            link.send(Drain(0.0))
        return closed

    def _ended(self, slot: Slot, code: int) -> None:
        """Clear what the worker left behind, and say so."""
        self._table.clear(slot.number)
        self._feed(WorkerLost(self._center.now(), slot.number))
        slot.link = None
        slot.is_ready.clear()
        at = self._center.now()
        reason = f"worker {slot.number} ended before the outcome was known"
        for request_id, (attempt, endpoint) in slot.open.items():
            self._center.record(lost_outcome(request_id, at, attempt, endpoint, reason))
        if not self._stopping.is_set():
            text = (
                f"worker {slot.number} ended ({_how(code)}); {len(slot.open)} requests were lost; "
                f"starting it again in {slot.pause_s:g} s"
            )
            self._center.notice(commands.Notice("error", "worker-ended", text))
        slot.open.clear()

    def _on_blocked(self, slot: Slot, blocked: bool) -> None:
        """A worker that does not read is stuck: after `STUCK_S` it is replaced."""
        if blocked:
            asyncio.get_running_loop().call_later(STUCK_S, self._kill_if_blocked, slot, slot.link)

    def _look(self) -> None:
        """A worker that tells nothing hangs: it is replaced."""
        for slot in self._slots:
            if slot.look():
                silence = f"nothing was heard of it in {slot.silent_looks} periods"
                text = f"worker {slot.number} hangs ({silence}) and is replaced"
                self._center.notice(commands.Notice("error", "worker-stuck", text))
                slot.kill()

    def _kill_if_blocked(self, slot: Slot, link: Link[FromWorker] | None) -> None:
        if link is not None and link is slot.link and link.is_blocked:
            text = f"worker {slot.number} did not read for {STUCK_S:g} s and is replaced"
            self._center.notice(commands.Notice("error", "worker-stuck", text))
            slot.kill()

    # What workers tell.

    def _on_frame(self, slot: Slot, frame: FromWorker) -> None:
        slot.silent_looks = 0
        match frame:
            case Records():
                self._center.record_encoded(frame.encoded)
                slot.note(frame.changes)
            case commands.Report():
                self._center.report(frame.settled)
                self._feed(Observed(self._center.now(), frame.settled))
            case commands.Notice():
                self._center.notice(frame)
            case Ask():
                self._answer(slot, frame)
            case commands.TellBudget():
                self._told_budget(slot.number, frame)
            case AwaitDurable():
                link, durable = slot.link, Durable(frame.number)
                if link is not None:
                    self._center.recorder.when_durable(lambda: _tell(link, durable))
            case Pulse():
                self._center.telemetry.pause(frame.pauses_s, slot.number)
                self._center.telemetry.decided(frame.decisions_s)
                self._center.telemetry.worker_lag(slot.number, frame.view_lag_s)
            case Hello():
                slot.is_ready.set()
            case Failed():
                slot.failure = frame.reason

    def _answer(self, slot: Slot, ask: Ask) -> None:
        status, content_type, body = page(ask.path, self._center, self._loads())
        if slot.link is not None:
            slot.link.send(Answer(ask.number, status, content_type, body))

    def _loads(self) -> list[PeerLoad]:
        """Work in flight of all workers together."""
        count = len(self._center.config.fleet.endpoints)
        totals = self._table.totals(self._generation, count)
        if totals is None:
            return []
        return [
            PeerLoad(
                endpoint=number,
                running=int(row[0]),
                pending=int(row[1]),
                pending_prefill_tokens=row[2],
                kv_tokens=row[3],
            )
            for number, row in enumerate(totals.tolist())
            if any(row)
        ]

    # What the workers are told.

    def _share(self, event: Event) -> None:
        """Readings go out in batches; whatever is rarer goes out at once, in the same order."""
        assert isinstance(event, Shared)
        self._shared.append(event)
        if not isinstance(event, Sampled) or len(self._shared) >= SHARED_MAX:
            self._send_shared()
        elif self._share_timer is None:
            self._share_timer = asyncio.get_running_loop().call_later(SHARE_S, self._send_shared)

    def _send_shared(self) -> None:
        if self._share_timer is not None:
            self._share_timer.cancel()
            self._share_timer = None
        events, self._shared = self._shared, []
        if not events:
            return
        wire = encode_frame(Feed(events))
        rare: list[Shared] = [event for event in events if not isinstance(event, Sampled)]
        for slot in self._slots:
            if slot.link is None:
                continue
            if not slot.link.is_blocked:
                slot.link.send_encoded(wire)
            elif rare:
                slot.link.send(Feed(rare))

    def _on_config(self, config: Config) -> None:
        """In force here first, then in each worker (a blocked one gets it when it reads again)."""
        self._send_shared()
        self._generation += 1
        self._shelf.replace(config)
        self._feed(FleetChanged(self._center.now(), config.fleet, config.policy, config.digest))
        self._feed(in_force(config, self._center.now()))
        wire = encode_frame(Configure(encode_config(config), self._generation))
        for slot in self._slots:
            if slot.link is not None:
                slot.link.send_encoded(wire)

    def _told_budget(self, worker: int, told: commands.TellBudget) -> None:
        event = BudgetTold(
            at=self._center.now(),
            worker=worker,
            block=told.block,
            limit_micro_usd=told.limit_micro_usd,
            wanted=told.wanted,
            spent=told.spent,
            returned=told.returned,
        )
        self._feed(event)

    def _lend(self, command: commands.LendBudget) -> None:
        """To the one worker. One that is gone by now has lost it."""
        link = self._slots[command.worker].link
        if link is not None:
            at = self._center.now()
            link.send(Feed([BudgetLent(at, command.block, command.amount, command.lent)]))

    def _feed(self, event: Event) -> None:
        """Take an event to the core and carry its commands out."""
        for command in self._governor.handle(event):
            match command:
                case commands.Record():
                    self._center.record(command.record)
                case commands.Solve():
                    self._center.solve(command.problem)
                case commands.Publish():
                    self._center.publish(command.board)
                case commands.Notice():
                    self._center.notice(command)
                case commands.Set():
                    self._center.steering.set(command)
                case commands.Advise():
                    self._center.steering.advise(command)
                case commands.Diagnosed():
                    self._center.diagnosed(command)
                case commands.KeepBudget():
                    self._budgets.keep(command)
                case commands.LendBudget():
                    self._budgets.when_kept(partial(self._lend, command))
                case _:
                    raise AssertionError(f"the control's core asked for {type(command).__name__}")


def _tell(link: Link[FromWorker], durable: Durable) -> None:
    link.send(durable)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
