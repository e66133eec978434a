"""Which parts make up the simulated world, how is it set going, and what does it report?"""

from collections.abc import Callable, Iterable

import numpy as np

from flyball import __version__
from flyball.dialects.traces.row import TraceError, TraceRow
from flyball.governor.commands import Notice
from flyball.governor.governor import Governor
from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.sim import coherence
from flyball.sim.actuators import Actuators
from flyball.sim.agents import AgentClient
from flyball.sim.build import replicas_of
from flyball.sim.checks import Checks
from flyball.sim.clients import Clients
from flyball.sim.clock import Clock, Streams
from flyball.sim.cores import cores
from flyball.sim.driver import Driver, Tee
from flyball.sim.exchange import Call, Lineage
from flyball.sim.governed import OWN
from flyball.sim.network import Network
from flyball.sim.outcomes import Outcomes, digest
from flyball.sim.periods import PeerExchange, Planner, ticking
from flyball.sim.power import Power
from flyball.sim.program import BLOCK_TOKENS
from flyball.sim.programs import Programs, grouped
from flyball.sim.replica import Replica
from flyball.sim.report import PoolReport, Report, Result, class_reports
from flyball.sim.rivals import AUTOSCALERS, POWER_LOOPS
from flyball.sim.rules import Rules
from flyball.sim.scaling import Scaling
from flyball.sim.scenario import Scenario
from flyball.sim.scraper import Scraper
from flyball.sim.sessions import Retries, program_reports
from flyball.sim.spend import Spend
from flyball.sim.triggers import arm, spiked, squeeze
from flyball.units import Ratio, Seconds, Tokens, seconds_from_ms, usd_per_joule

PROGRESS_S: Seconds = 5.0
TRUNCATION = "threshold_truncation"
# After the last call has ended: time for closed connections to be heard of at the engines.
SETTLE_S: Seconds = 1.0


class World:
    """Everything that takes part in one run."""

    def __init__(
        self,
        scenario: Scenario,
        fleet: Fleet,
        policy: Policy,
        rows: Iterable[TraceRow],
        tee: Tee | None = None,
    ) -> None:
        self.scenario = scenario
        self.fleet = fleet
        self.policy = policy
        self.clock = Clock()
        self.streams = streams = Streams(scenario.seed)
        self.begun = 0
        self.open: set[Call] = set()
        self.notices: dict[str, int] = {}
        self._rows = spiked(rows, scenario.triggers, streams.named("spike"))
        self._classes = {klass.name: klass for klass in policy.classes}
        self._next: TraceRow | None = next(self._rows, None)
        clients = scenario.clients
        self.network = Network(
            fleet, streams.named("network"), seconds_from_ms(clients.rtt_ms), scenario.jitter_ratio
        )
        count = scenario.gateways.count
        rules = Rules(scenario.policy.rules)
        self.cores = cores(
            scenario.core,
            fleet,
            policy,
            count,
            streams,
            scenario.tuned,
            scenario.loops,
            rules.shelf,
        )
        skews_s = [seconds_from_ms(ms) for ms in scenario.gateways.skew_ms]
        self.driver = Driver(
            self.clock,
            self.cores,
            count,
            fleet,
            self.network,
            streams.named("gateway"),
            skews_s,
            tee,
        )
        self.driver.sinks.notice = self._notice
        self.outcomes = Outcomes(policy.classes)
        self.driver.clients = self.clients = Clients(
            self.clock,
            self.network,
            clients,
            streams.named("clients"),
            self.driver.send,
            self.driver.client_gone,
            self._ended,
        )
        self.checks = Checks(fleet, policy, self.driver.knows)
        if scenario.checks:
            self.driver.sinks.record = self.checks.record
        rules.arm(self.clock, self.driver, self.cores)
        grain = self._next.block_tokens if self._next is not None else 0
        if scenario.workload.programs and not grain:
            grain = BLOCK_TOKENS
        self._build_replicas(grain)
        self._build_loops()
        self._build_programs(grain)

    def _build_replicas(self, grain: Tokens) -> None:
        pools = {pool.name: pool for pool in self.fleet.pools}
        for pool in self.fleet.pools:
            block = pool.profile.limits.block_tokens
            if grain % block:
                wrong = f"its prefix blocks of {grain} tokens are no multiple of {block}"
                remedy = f"Pool {pool.name!r} needs a profile whose KV block divides them"
                raise TraceError("the trace", wrong, remedy)
        self.replicas = [
            Replica(i, one, pools[one.pool], self.clock, self.driver.on_progress, grain)
            for i, one in enumerate(self.fleet.endpoints)
        ]
        self.driver.replicas = self.replicas
        loops = self.scenario.loops
        rule = None
        if loops.power in POWER_LOOPS:
            rule = POWER_LOOPS[loops.power](loops.tuned.get(loops.power))
        self.power = Power(self.fleet.sites, self.replicas, rule, loops.power_low)

    def _build_loops(self) -> None:
        scenario, clock, driver = self.scenario, self.clock, self.driver
        everyone = list(range(len(self.cores)))
        gateways, telemetry = scenario.gateways, scenario.telemetry
        has_control = len(self.cores) > gateways.count
        self.scraper = Scraper(
            clock,
            driver,
            self.network,
            self.replicas,
            self.streams.named("telemetry"),
            everyone,
            seconds_from_ms(telemetry.delay_ms),
            telemetry.loss_ratio,
        )
        self.planner = Planner(
            clock,
            driver,
            seconds_from_ms(scenario.solver_delay_ms),
            everyone[:-1] if has_control else (),
            everyone[-1],
            seconds_from_ms(gateways.bus_delay_ms),
        )
        if telemetry.interval_ms:
            self.scraper.start(seconds_from_ms(telemetry.interval_ms))
        ticking(clock, driver, everyone, self.policy.tick_s)
        if has_control:
            workers = [core for core in self.cores[:-1] if isinstance(core, Governor)]
            exchange = PeerExchange(clock, driver, workers, seconds_from_ms(gateways.peer_delay_ms))
            period_s = seconds_from_ms(gateways.peer_ms)
            clock.every(period_s, exchange.turn, period_s)
        period_s = self.power.period_s
        clock.every(period_s, lambda: self.power.look(clock.now), period_s)
        self.scalings = self._build_scalings(everyone)
        self.actuators = Actuators(
            clock, driver, everyone, self.replicas, self.scalings, self.power
        )
        driver.sinks.set = self.actuators.turn
        arm(scenario.triggers, clock, driver, self.network, self.scraper, self.replicas)

    def _build_programs(self, grain: Tokens) -> None:
        scenario, loops = self.scenario, self.scenario.loops
        self.spend = Spend(self.cores, loops.budget_usd_per_hour, loops.tuned.get(TRUNCATION))
        period_s = self.spend.period_s
        self.clock.every(period_s, self.spend.look, period_s)
        squeeze(scenario.triggers, self.clock, self.spend)
        self.programs = Programs(
            self.clock,
            grouped(scenario.workload.programs, grain),
            self.streams,
            self._send,
            scenario.duration_s,
            scenario.workload.load,
            scenario.triggers,
        )

    def _build_scalings(self, gateways: list[int]) -> dict[str, Scaling]:
        scalings: dict[str, Scaling] = {}
        for pool, shape in self.scenario.autoscalers.items():
            mine = [replica for replica in self.replicas if replica.pool.name == pool]
            scaling = Scaling(
                self.clock,
                self.driver,
                self.scraper,
                self.streams.named(f"start {pool}"),
                AUTOSCALERS[shape.rule](self.fleet, shape.tuned) if shape.rule != OWN else None,
                mine,
                (shape.replicas_min, shape.replicas_max),
                shape.start_s,
                gateways,
            )
            scaling.begin(replicas_of(self.scenario, pool)[0])
            scalings[pool] = scaling
        return scalings

    # The run.

    def run(self, name: str, progress: Callable[[Ratio, int], None] | None) -> Result:
        """To the end of the load and of what it leaves behind."""
        duration_s = self.scenario.duration_s
        if progress is not None:
            self.clock.every(
                PROGRESS_S, lambda: progress(self.clock.now / duration_s, self.begun), PROGRESS_S
            )
        if self._next is not None:
            self.clock.at(self._next.at_s, self._arrive)
        self.clock.run(duration_s + self.scenario.drain_s)
        for call in sorted(self.open, key=lambda call: call.number):
            call.end, call.done_at = "unfinished", self.clock.now
            self.outcomes.ended(call)
        for replica in self.replicas:
            replica.close()
        if self.scenario.checks:
            ended = len(self.outcomes) - len(self.open)
            self.checks.end(self.begun, ended, len(self.open), self.driver.in_flight)
            self.checks.tokens(self.replicas, self.outcomes.delivered)
        return self._result(name)

    def _arrive(self, _: None) -> None:
        row = self._next
        assert row is not None
        self._send(row)
        self._next = following = next(self._rows, None)
        if following is None or following.at_s >= self.scenario.duration_s:
            self._next = None
            self._stop_if_done()
        else:
            self.clock.at(following.at_s, self._arrive)

    def _send(
        self, row: TraceRow, lineage: Lineage | None = None, agent: AgentClient | None = None
    ) -> None:
        klass = self._classes.get(row.class_name) or self.policy.classes[0]
        call = Call(self.begun, row, klass, self.clock.now, lineage, agent)
        self.begun += 1
        self.open.add(call)
        self.clients.attempt(call)
        if self.scenario.checks:
            self.checks.queue(self.driver.in_flight, self.scenario.gateways.count)

    def _ended(self, call: Call) -> None:
        self.open.discard(call)
        call.current = None  # call and try hold each other: no work for the cycle collector
        self.outcomes.ended(call)
        self.spend.ended(call)
        self.programs.ended(call)
        if call.end == "served" and self.scalings:
            scaling = self.scalings.get(self.replicas[call.endpoint].pool.name)
            if scaling is not None:
                scaling.ended(call)
        if self._next is None:
            self._stop_if_done()

    def _stop_if_done(self) -> None:
        if not self.open and self.programs.is_over:
            self.clock.at(self.clock.now + SETTLE_S, lambda _: self.clock.stop())

    def _notice(self, gateway: int, notice: Notice) -> None:
        self.notices[notice.code] = self.notices.get(notice.code, 0) + 1

    # The report.

    def _result(self, name: str) -> Result:
        scenario, columns = self.scenario, self.outcomes.arrays()
        measured_s = scenario.duration_s - scenario.warmup_s
        total, classes = class_reports(columns, self.policy.classes, scenario.warmup_s, measured_s)
        pools = tuple(self._pool_report(pool.name) for pool in self.fleet.pools)
        machine_usd = sum([pool.usd for pool in pools], 0.0)
        energy_usd = sum([pool.energy_usd for pool in pools], 0.0)
        made = sum(pool.output_tokens for pool in pools)
        report = Report(
            name=name,
            version=__version__,
            seed=scenario.seed,
            core=scenario.core,
            load=scenario.workload.load,
            duration_s=scenario.duration_s,
            measured_s=measured_s,
            total=total,
            classes=classes,
            pools=pools,
            site_watts_peak=self.power.watts_peak,
            site_over_limit_s=self.power.over_limit_s,
            machine_usd=machine_usd,
            energy_usd=energy_usd,
            execution_error_usd=(
                total.value_missed_usd + machine_usd + energy_usd + self.checks.penalty_usd
            ),
            joules_per_output_token=sum([p.joules for p in pools], 0.0) / made if made else 0.0,
            boards=self.planner.boards,
            tries=self.clients.tries,
            intents=self.checks.intents,
            outcomes=self.checks.outcomes,
            notices=self.notices,
            breaches=tuple(self.checks.told),
            breaches_count=self.checks.broken,
            events=self.clock.events,
            digest=digest(columns),
            programs=program_reports(self.programs.tallies),
            retries=self._retries(columns),
            token_usd=self.spend.usd,
            coherence=coherence.judged(
                self.fleet, self.policy.classes, columns, scenario.warmup_s, measured_s
            ),
        )
        return Result(report=report, columns=columns)

    def _retries(self, columns: dict[str, np.ndarray]) -> Retries:
        return Retries(
            gateway=int(columns["gateway_retries"].sum()),
            sdk=self.clients.sdk_retries,
            agent=self.clients.agent_retries,
            step=sum(one.steps_broken for one in self.programs.tallies.values()),
        )

    def _pool_report(self, pool: str) -> PoolReport:
        mine = [replica for replica in self.replicas if replica.pool.name == pool]
        joules, on_s = sum([r.joules for r in mine], 0.0), sum([r.on_s for r in mine], 0.0)
        site = self.fleet.site_of(self.fleet.pool(pool))
        scaling = self.scalings.get(pool)
        return PoolReport(
            name=pool,
            site=site.name,
            replicas=len(mine),
            replica_hours=on_s / 3600.0,
            busy_ratio=sum([r.busy_s for r in mine], 0.0) / on_s if on_s else 0.0,
            joules=joules,
            usd=sum([r.usd for r in mine], 0.0),
            energy_usd=joules * usd_per_joule(site.usd_per_kwh),
            prompt_tokens=sum(r.prompt_tokens for r in mine),
            cached_tokens=sum(r.cached_tokens for r in mine),
            output_tokens=sum(r.output_tokens for r in mine),
            preemptions=sum(r.preemptions for r in mine),
            starts=scaling.starts if scaling else 0,
            drains=scaling.drains if scaling else 0,
        )
