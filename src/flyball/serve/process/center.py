"""What exists once, however many workers relay: log, scraper, solver, clock of periods, reload.

It has no opinion: every event goes to the one governor by `feed`, and what the workers must know
too goes to `share`. In a single process the gateway's governor is fed; with workers, the control's.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.dialects.engines import read_metrics
from flyball.governor.authority import Authority
from flyball.governor.commands import Diagnosed, Notice
from flyball.governor.events import BoardReceived, Event, LedgerChanged, Sampled, Solved, Tick
from flyball.governor.objectives import Objectives
from flyball.governor.oversight import Missing
from flyball.governor.scope import place_of
from flyball.governor.tariff import tariff
from flyball.ledger.record import decode
from flyball.model.acts import BundleSet, Oversight, RevocationSet
from flyball.model.decision import ConfigSet, LoopAction, Record
from flyball.model.fleet import Fleet
from flyball.model.prices import NO_BOARD, PriceBoard
from flyball.model.signals import PeerLoad, Settled
from flyball.model.verdict import Place
from flyball.pricing.highs import Solver
from flyball.pricing.problem import Problem
from flyball.serve.bundles.desk import Desk, Tidings
from flyball.serve.bundles.watch import Watch
from flyball.serve.config import Config
from flyball.serve.engines.scrape import ScrapeLimits, Scraper, Target, targets
from flyball.serve.log.places import Places, open_places
from flyball.serve.process.authority import Shelf
from flyball.serve.process.notices import NoticeLog
from flyball.serve.process.pages import Condition, Reading
from flyball.serve.process.reload import Reloader, fixed_changes
from flyball.serve.process.solve import SolverThread
from flyball.serve.process.station import listen_tls, trusted
from flyball.serve.process.steering import Steering
from flyball.serve.relay.clock import Clock
from flyball.serve.telemetry.prometheus import Telemetry
from flyball.units import MS_PER_S, Seconds

if TYPE_CHECKING:
    from flyball.serve.doors.door import Door

SOLVE_S_MAX: Seconds = 4.0
REASON_CHARS_MAX = 2000
WATCHED_STARTS = (
    b'{"kind":"loop-action"',
    b'{"kind":"turned-away"',
    b'{"kind":"revocation"',
    b'{"kind":"oversight"',
)


class Center:
    """Make it on the running loop. Raises LedgerError if the log's folder cannot be used.

    `feed` takes each event to the governor; `share` gets those that other processes must see too;
    `loads` gives the work in flight of all workers together; `on_config` gets each new good
    configuration, which is in force here already.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        telemetry: Telemetry,
        feed: Callable[[Event], None],
        share: Callable[[Event], None],
        loads: Callable[[], Sequence[PeerLoad]],
        on_config: Callable[[Config], None],
        adjust: Callable[[Config], Config],
        desk: Desk,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.config = config
        self.telemetry = telemetry
        self.objectives = Objectives(config.policy.classes)
        self._numbers = _numbers(config.fleet)
        self.board: PriceBoard = NO_BOARD
        self.seen: Diagnosed | None = None
        self.readings: dict[int, Reading] = {}
        self.is_draining = False
        self.now = clock.now
        self._clock = clock
        self._feed = feed
        self._share = share
        self._loads = loads
        self._on_config = on_config
        self._tick_task: asyncio.Task[None] | None = None
        self.notices = NoticeLog(loop.time, telemetry.notice)
        self.recorder = open_places(
            config.ledger, config.fleet, self._ledger_changed, self.notices.say
        )
        self._solver = SolverThread(Solver, self._solved, self.now, SOLVE_S_MAX)
        self._scraper = Scraper(read_metrics, self._sampled, self.now, scrape_limits(config))
        self.steering = Steering(config, telemetry, feed, share, self.now, self._actuator_silent)
        self._desk = desk
        self.reloader = Reloader(
            Path(config.source), config, adjust, self._adopt, self._config_bad, self._bundles_told
        )
        self._watch = Watch(lambda: self.config, self.now, self.reloader.request)
        self.door = self._door()

    def start(self) -> None:
        """Begin all periodic work."""
        self._solver.start()
        recovery = self.recorder.recovery
        if recovery.replayed or recovery.torn_bytes:
            lost = self.recorder.settle_lost(self.now())
            text = f"{recovery.size} records, {recovery.torn_bytes} bytes of a torn tail dropped"
            closed = f"; {lost} requests of a killed gateway closed" if lost else ""
            self.notices.say(Notice("info", "ledger-recovered", text + closed))
        self._note_config(self.config.digest, "")
        self.telemetry.ledger(not self.recorder.detail)
        self._scraper.replace(scrape_targets(self.config))
        self._scraper.start()
        self._bundles_told()
        self.reloader.start()
        self._watch.start()
        self.steering.start()
        if self.door is not None:
            self.door.start()
        self._tick_task = asyncio.create_task(self._tick(), name="tick")

    async def stop(self) -> int:
        """End it, write the log out; how many records could not be written."""
        if self._tick_task is not None:
            self._tick_task.cancel()
        self._solver.stop()
        await self._watch.stop()
        await self.reloader.stop()
        await self.steering.stop()
        await self._scraper.stop()
        if self.door is not None:
            await self.door.stop()
        lost = await asyncio.to_thread(self.recorder.close)
        await asyncio.to_thread(self.telemetry.close)
        if lost:
            text = f"{lost} records could not be written to {self.config.ledger.folder}"
            self.notices.say(Notice("error", "records-lost", text))
        self.notices.close()
        return lost

    @property
    def condition(self) -> Condition:
        """What readiness depends on."""
        return Condition(
            draining=self.is_draining,
            ledger=self.recorder.detail,
            is_ledger_needed=self.config.policy.refuse_without_ledger,
        )

    # What the governor's commands call for.

    def record(self, record: Record) -> None:
        """Keep it, and let monitoring see it."""
        self.recorder.record(record)
        self.watch(record)

    def record_encoded(self, entries: list[bytes]) -> None:
        """Keep what a worker encoded; monitoring sees the few that it wants."""
        self.recorder.record_encoded(entries)
        is_tracing = self.telemetry.is_tracing
        for entry in entries:
            if is_tracing or entry.startswith(WATCHED_STARTS):
                self.watch(decode(entry))

    def watch(self, record: Record) -> None:
        """Show a record in the metrics."""
        self.telemetry.recorded(record)
        if isinstance(record, LoopAction) and record.actuator == "endpoint.blocked":
            number = self._numbers.get(record.scope)
            if number is not None:
                self.telemetry.circuit(number, "open" if record.new == "true" else "closed")
        elif isinstance(record, LoopAction):
            self.steering.watch(record)
        elif isinstance(record, Oversight | RevocationSet) and self.door is not None:
            self.door.watch(record)

    def solve(self, problem: Problem) -> None:
        """Answered by `Solved`, later."""
        self._solver.submit(problem)

    def publish(self, board: PriceBoard) -> None:
        """Show the board, and send it on."""
        self.board = board
        self.telemetry.published(board)
        self._share(BoardReceived(self.now(), board))

    def report(self, settled: tuple[Settled, ...]) -> None:
        """Outcomes, for the metrics."""
        self.telemetry.settled(settled)
        self.objectives.take(settled)

    def diagnosed(self, seen: Diagnosed) -> None:
        """Show what diagnosis sees; make its holds known where loops act on each request."""
        before, self.seen = self.seen, seen
        self.telemetry.diagnosed(seen)
        self.steering.held_by_diagnosis(
            dict(before.held) if before is not None else {}, dict(seen.held)
        )

    def notice(self, notice: Notice) -> None:
        """A line for the operator."""
        self.notices.say(notice)

    # What happens outside.

    async def _tick(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            due = max(due + self.config.policy.tick_s, clock())
            await asyncio.sleep(due - clock())
            self._clock.slew()
            self._feed(Tick(self.now()))
            self.telemetry.in_flight(self._loads())
            self.telemetry.contracts(self.objectives.read(self.now()))
            self.telemetry.sealed(self.recorder.acked - self.recorder.recovery.size)

    def _sampled(self, event: Sampled) -> None:
        last = self.readings.get(event.endpoint, Reading())
        if event.sample is None:
            reading = Reading(sample=last.sample, at=last.at, error=event.error)
        else:
            reading = Reading(sample=event.sample, at=event.at)
        self.readings[event.endpoint] = reading
        self.telemetry.sampled(event.endpoint, event.sample, event.at)
        self._feed(event)
        self._share(event)
        if event.sample is not None:
            self.steering.seen(event.endpoint)

    def _solved(self, event: Solved) -> None:
        self._feed(event)
        if event.solution is None:
            self.notices.say(Notice("warning", "solver-failed", event.error))

    def _ledger_changed(self, available: bool, detail: str) -> None:
        self.telemetry.ledger(available)
        event = LedgerChanged(self.now(), available, detail)
        self._feed(event)
        self._share(event)
        level, text = ("info", "records again") if available else ("error", detail)
        self.notices.say(Notice(level, "ledger", text))

    def standing(self) -> list[Event]:
        """Revocations and stops in force: what a worker that starts must know."""
        return [] if self.door is None else list(self.door.standing())

    def _door(self) -> "Door | None":
        """The door for people and other governors, if the fleet file opens one. DoorFault."""
        if self.config.oversight is None:
            return None
        from flyball.serve.doors.door import Door, Surroundings

        self._shelf = Shelf(self.config)
        around = Surroundings(
            tell=self._told_outside,
            record=self.record,
            notice=lambda level, code, text: self.notices.say(Notice(level, code, text)),
            act=self.steering.act,
            endpoints=lambda: self._numbers,
            authority=self._authority,
            place_of=self._place_of,
            now=self.now,
        )
        return Door(self.config.oversight, around, listen_tls(self.config))

    def _authority(self) -> Authority:
        """The policies of the file in force, for those who ask from outside."""
        digests = tuple(one.digest for one in self.config.authority.policies)
        return self._shelf.authority(digests) or Missing(digests)

    def _place_of(self, name: str) -> Place | None:
        """What policy may read of a pool."""
        fleet = self.config.fleet
        for pool in fleet.pools:
            if pool.name == name:
                return place_of(pool, fleet.site_of(pool), tariff(pool))
        return None

    def _told_outside(self, event: Event) -> None:
        self._feed(event)
        self._share(event)

    def _actuator_silent(self, text: str) -> None:
        self.notices.say(Notice("warning", "actuator-silent", text))

    def _adopt(self, config: Config) -> None:
        """A new good configuration: what can change while serving changes now."""
        self._on_config(config)
        old, self.config = self.config, config
        self.readings.clear()
        self._adoption = asyncio.create_task(self.steering.adopt(config))
        self.telemetry.adopt(config)
        if self.door is not None:
            self._shelf.replace(config)
            self.door.adopt(config.oversight)
        self.objectives.adopt(config.policy.classes)
        self._numbers = _numbers(config.fleet)
        if isinstance(self.recorder, Places):
            self.recorder.adopt(config.fleet)
        self._scraper.replace(scrape_targets(config), scrape_limits(config))
        text = f"{config.source}: in force (digest {config.digest[:12]})"
        if fixed := fixed_changes(old, config):
            text += f"; a restart is needed for: {', '.join(fixed)}"
        self.notices.say(Notice("info", "config-reloaded", text))

    def _bundles_told(self) -> None:
        """What became of the bundles that were looked at: told, and a refusal written down."""
        for told in self._desk.take_tidings():
            self.notices.say(Notice(told.level, told.code, told.text))
            if told.is_recorded:
                self._note_refused(told)

    def _note_refused(self, told: Tidings) -> None:
        at = self.now()
        record = BundleSet(
            id=f"bundle_{told.role}_{int(at * MS_PER_S):011x}",
            at=at,
            digest=told.digest,
            role=told.role,
            version=told.version,
            in_force=False,
            reason=told.reason[:REASON_CHARS_MAX],
            by="bundle source",
        )
        self.record(record)

    def _config_bad(self, errors: str) -> None:
        """A bad configuration: the old one stays in force."""
        self._note_config("", errors[:REASON_CHARS_MAX])
        text = f"the new file is bad, so the old one stays in force:\n{errors}"
        self.notices.say(Notice("error", "config-refused", text))

    def _note_config(self, digest: str, reason: str) -> None:
        """Write down what came into force at the start, or why a file was refused."""
        at = self.now()
        record = ConfigSet(
            id=f"config_{int(at * MS_PER_S):011x}",
            at=at,
            digest=digest,
            in_force=not reason,
            reason=reason,
        )
        self.record(record)


def _numbers(fleet: Fleet) -> dict[str, int]:
    return {endpoint.name: number for number, endpoint in enumerate(fleet.endpoints)}


def scrape_targets(config: Config) -> tuple[Target, ...]:
    """The engines to be read, with their keys and the CAs they are trusted by."""
    return targets(config.fleet, config.credentials, trusted(config))


def scrape_limits(config: Config) -> ScrapeLimits:
    """How the file says engines are read."""
    return ScrapeLimits(interval_s=config.scrape.interval_s, timeout_s=config.scrape.timeout_s)
