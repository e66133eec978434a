"""How does a gateway start, say what it serves, and end, in one process or in several?

`serve` is the whole life: check the file, claim the port and the log, serve until a signal. SIGTERM
or Ctrl-C drains, a second one stops at once, SIGHUP reads the fleet file again.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from flyball import __version__
from flyball.governor.commands import LendBudget, Notice, TellBudget
from flyball.governor.events import BudgetLent, BudgetsKept, BudgetTold, DrainBegun, Event
from flyball.model.signals import PeerLoad
from flyball.serve.bundles.desk import Desk
from flyball.serve.config import Config, ConfigErrors, load
from flyball.serve.doors.fault import DoorFault
from flyball.serve.log.writer import LedgerError
from flyball.serve.process.authority import prepare
from flyball.serve.process.budgets import BudgetBook
from flyball.serve.process.center import Center
from flyball.serve.process.control import Control, StartFault
from flyball.serve.process.proofs import ProofTable
from flyball.serve.process.quotes import QuoteTable
from flyball.serve.process.routes import page
from flyball.serve.process.station import Page, Station, open_station, run_loop
from flyball.serve.process.workers import every
from flyball.serve.relay.clock import Clock
from flyball.serve.relay.sinks import Sinks
from flyball.serve.telemetry.prometheus import Telemetry
from flyball.units import Seconds

PULSE_S: Seconds = 1.0


class Overrides(Struct, frozen=True, kw_only=True):
    """What the command line says instead of the fleet file; None = as the file says."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    mode: str | None = None
    log: Path | None = None

    def apply(self, config: Config) -> Config:
        """The configuration with these settings in place of its own."""
        listen, policy, ledger = config.listen, config.policy, config.ledger
        replace = msgspec.structs.replace
        if self.host is not None:
            listen = replace(listen, host=self.host)
        if self.port is not None:
            listen = replace(listen, port=self.port)
        workers = config.workers if self.workers is None else self.workers
        policy = replace(policy, workers=workers)
        if self.mode is not None:
            policy = replace(policy, mode=self.mode)
        if self.log is not None:
            ledger = replace(ledger, folder=str(self.log.absolute()))
        return replace(config, listen=listen, policy=policy, ledger=ledger, workers=workers)


def serve(path: Path, overrides: Overrides) -> int:
    """Serve until told to end. Returns the exit code: 0 ended as asked, 1 the file is bad or
    records were lost, 2 it could not start."""
    try:
        desk = Desk()
        config = desk.resolve(overrides.apply(load(path)))
    except ConfigErrors as errors:
        return _fault(1, f"{errors}")
    except OSError as fault:
        return _fault(2, f"{path}: {fault.strerror or fault}.\n    Name a fleet file to serve.")
    for warning in config.warnings:
        say(str(warning))

    def adjust(found: Config) -> Config:
        adjusted = desk.resolve(overrides.apply(found))
        prepare(adjusted)
        return adjusted

    try:
        with claim(config.listen.host, config.listen.port) as claimed:
            port = int(claimed.getsockname()[1])
            if config.workers == 1:
                claimed.close()
                return run_loop(serve_whole(config, port, adjust, desk))
            return run_loop(serve_with_workers(config, port, adjust, desk))
    except PortTaken as fault:
        return _fault(2, str(fault))
    except LedgerError as fault:
        return _fault(2, f"{fault}\n    --log DIR names another folder.")
    except DoorFault as fault:
        return _fault(2, f"oversight: {fault}")
    except StartFault as fault:
        return _fault(2, f"the gateway could not start: {fault}")


async def serve_with_workers(
    config: Config, port: int, adjust: Callable[[Config], Config], desk: Desk
) -> int:
    """The control process's part, when several workers share the port."""
    control = Control(
        config,
        host=config.listen.host,
        port=port,
        telemetry=Telemetry(config),
        adjust=adjust,
        desk=desk,
        on_ready=lambda: say(announcement(config, port)),
    )
    return await control.run()


async def serve_whole(
    config: Config, port: int, adjust: Callable[[Config], Config], desk: Desk
) -> int:
    """One process does everything."""
    return await Whole(config, port, adjust, desk).run()


class Whole:
    """The single process: one governor, fed by the gateway and by what exists once."""

    def __init__(
        self, config: Config, port: int, adjust: Callable[[Config], Config], desk: Desk
    ) -> None:
        self._config = config
        self._port = port
        self._clock = Clock()
        self._station: Station | None = None
        self._stopping = asyncio.Event()
        self._budgets = BudgetBook(config.ledger.folder, self._clock.now, self._notice)
        self._center = Center(
            config,
            clock=self._clock,
            telemetry=Telemetry(config),
            feed=self._feed,
            share=lambda event: None,
            loads=self._loads,
            on_config=self._on_config,
            adjust=adjust,
            desk=desk,
        )

    async def run(self) -> int:
        """Serve until told to end; the exit code. Raises PortTaken."""
        center, config = self._center, self._config
        loop = asyncio.get_running_loop()
        try:
            self._station = await open_station(
                config,
                worker=0,
                host=config.listen.host,
                port=self._port,
                clock=self._clock,
                sinks=Sinks(
                    record=center.record,
                    solve=center.solve,
                    publish=center.publish,
                    report=center.report,
                    notice=center.notice,
                    set=center.steering.set,
                    advise=center.steering.advise,
                    diagnosed=center.diagnosed,
                    tell_budget=self._tell_budget,
                    keep_budget=self._budgets.keep,
                    lend_budget=self._lend,
                    when_durable=center.recorder.when_durable,
                ),
                condition=lambda: center.condition,
                page=self._page,
                quotes=QuoteTable(QuoteTable.create(1), 1),
                proofs=ProofTable(ProofTable.create()),
                is_shared=False,
                told=[BudgetsKept(center.now(), self._budgets.accounts), *center.standing()],
            )
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._end)
            loop.add_signal_handler(signal.SIGHUP, center.reloader.request)
            center.start()
            say(announcement(config, self._port))
            pulse = asyncio.create_task(every(PULSE_S, self._pulse))
            await self._stopping.wait()
            pulse.cancel()
            await self._station.drain(center.config.limits.drain_s_max)
        finally:
            await self._budgets.close()
            lost = await center.stop()
        return 1 if lost else 0

    def _feed(self, event: Event) -> None:
        if self._station is not None:
            self._station.feed(event)

    def _notice(self, notice: Notice) -> None:
        self._center.notice(notice)

    def _tell_budget(self, told: TellBudget) -> None:
        """The one process asks itself, so that what it may spend is durable first."""
        self._feed(
            BudgetTold(
                self._center.now(),
                0,
                told.block,
                told.limit_micro_usd,
                told.wanted,
                told.spent,
                told.returned,
            )
        )

    def _lend(self, lent: LendBudget) -> None:
        self._budgets.when_kept(
            lambda: self._feed(BudgetLent(self._center.now(), lent.block, lent.amount, lent.lent))
        )

    def _on_config(self, config: Config) -> None:
        if self._station is not None:
            self._station.replace(config)

    def _pulse(self) -> None:
        assert self._station is not None
        self._center.telemetry.pause(self._station.new_pauses())
        self._center.telemetry.decided(self._station.gateway.take_decision_times())

    def _loads(self) -> list[PeerLoad]:
        return self._station.in_flight() if self._station is not None else []

    async def _page(self, path: str) -> Page:
        return page(path, self._center, self._loads())

    def _end(self) -> None:
        """First signal: drain. Second: stop now."""
        if self._stopping.is_set():
            if self._station is not None:
                self._station.cut_drain(0.0)
            return
        self._center.is_draining = True
        self._feed(DrainBegun(self._center.now()))
        self._stopping.set()


class PortTaken(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def claim(host: str, port: int) -> socket.socket:
    """Hold a TCP port for this gateway's workers, so that no other gateway gets into it.

    First it is bound without SO_REUSEPORT, which fails if anybody listens there; then with it, so
    that the workers may. The socket never listens. Raises PortTaken.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
            found = (address[0], probe.getsockname()[1], *address[2:])
        claimed = socket.socket(family, kind, proto)
        with suppress(OSError):
            claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        claimed.bind(found)
    except OSError as fault:
        raise PortTaken(
            f"cannot listen on {host}:{port}: {fault.strerror or fault}.\n"
            "    Stop what listens there, or give another --port (0 = any free one)."
        ) from None
    return claimed


def announcement(config: Config, port: int) -> str:
    """What is served, where, and how to end it."""
    scheme = "https" if config.tls else "http"
    host = config.listen.host
    shown = f"[{host}]" if ":" in host else host
    base = f"{scheme}://{shown}:{port}"
    fleet, policy = config.fleet, config.policy
    sites = {site.name: site for site in fleet.sites}
    lines = [f"flyball {__version__} serves {base}/v1 ({policy.mode}, pid {os.getpid()})"]
    for pool in fleet.pools:
        count = sum(endpoint.pool == pool.name for endpoint in fleet.endpoints)
        site = sites[pool.site]
        lines.append(
            f"  pool      {pool.name}: {', '.join(pool.models)} on {count} x {pool.profile.name} "
            f"({pool.engine}) at {site.name} ({site.jurisdiction})"
        )
    keys = f"{len(policy.principals)} keys" if policy.principals else "no key asked for"
    lines += [
        f"  classes   {', '.join(klass.name for klass in policy.classes)}",
        f"  callers   {keys}",
        f"  workers   {config.workers}",
        f"  ledger    {config.ledger.folder}",
        f"  metrics   {base}/metrics",
        "  Ctrl-C drains and ends; kill -HUP reads the fleet file again",
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    """Narration goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def _fault(code: int, text: str) -> int:
    say(f"flyball: {text}" if code == 2 else text)
    return code
