"""What does the gateway tell monitoring of itself? (Fed in batches, off the path of requests.)

Prometheus metrics are always kept; OpenTelemetry is imported only when an address is known, from
the fleet file or from OTEL_EXPORTER_OTLP_ENDPOINT. All times are wall-clock seconds.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from flyball.diagnosis.codes.codes import level_of
from flyball.governor.commands import Advise, Diagnosed, Notice
from flyball.governor.objectives import Contract
from flyball.model.decision import (
    ConfigSet,
    Intent,
    LoopAction,
    Outcome,
    PricesSet,
    Record,
    TurnedAway,
)
from flyball.model.fleet import Endpoint, Fleet
from flyball.model.prices import NO_BOARD, PriceBoard
from flyball.model.profile import PowerCurve
from flyball.model.signals import EngineSample, PeerLoad, Settled
from flyball.serve.config import Config
from flyball.serve.telemetry import names
from flyball.serve.telemetry.meters import Buckets, Cell, Meters
from flyball.units import Seconds, Watts

if TYPE_CHECKING:
    from flyball.serve.telemetry.tracing import Tracing

ROWS_MAX = 10_000
FRESH_S_MAX: Seconds = 10.0
NONE = "none"
CircuitState = Literal["closed", "half-open", "open"]
_CIRCUIT_VALUES: dict[CircuitState, float] = {"closed": 0.0, "half-open": 1.0, "open": 2.0}


class Telemetry:
    """All meters of one gateway, and its spans if a collector is configured."""

    def __init__(
        self,
        config: Config,
        now: Callable[[], Seconds] = time.time,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._now = now
        self._meters = Meters(names.METRICS.values())
        self._board: PriceBoard = NO_BOARD
        self._rows: dict[tuple[str, str, int], _Row] = {}
        self._shown: dict[str, dict[tuple[str, ...], None]] = {}
        self._good_at: dict[str, Seconds] = {}
        self._power: dict[str, tuple[Seconds, Watts]] = {}
        self._fleet: Fleet = config.fleet
        self._curves: dict[str, PowerCurve] = {}
        self._tracing = _tracing(config, os.environ if env is None else env)
        self._takers: dict[type, Callable[[Record], None]] = {
            PricesSet: self._planned,
            LoopAction: self._acted,
            ConfigSet: self._configured,
            TurnedAway: self._turned_away,
        }
        if self._tracing is not None:
            self._takers[Intent] = self._tracing.intent
            self._takers[Outcome] = self._tracing.outcome
        self.adopt(config)
        self.ledger(True)
        self._put(names.BOARD_VERSION, NO_BOARD.version)

    @property
    def is_tracing(self) -> bool:
        """Whether `recorded` wants intents and outcomes too (each costs tens of µs then)."""
        return self._tracing is not None

    def adopt(self, config: Config) -> None:
        """Another configuration is in force: endpoint numbers mean its endpoints from now on."""
        self._fleet = config.fleet
        self._meters.name("class", (klass.name for klass in config.policy.classes))
        self._meters.name("model", (m for pool in config.fleet.pools for m in pool.models))
        self._rows.clear()
        self._power.clear()
        self._curves = {pool.name: pool.profile.power for pool in config.fleet.pools}
        # An endpoint that is never read grows old from now on, so that an alert can see it.
        at = self._now()
        self._good_at = {each.name: at for each in config.fleet.endpoints if each.metrics_url}
        for metric in names.METRICS.values():
            if metric.kind == "gauge" and {"endpoint", "pool", "source"} & set(metric.labels):
                self._meters.clear(metric)
        if self._tracing is not None:
            self._tracing.adopt(config.fleet)

    def settled(self, batch: Iterable[Settled]) -> None:
        """Requests that came to an end."""
        rows = self._rows
        for one in batch:
            row = rows.get((one.class_name, one.model, one.endpoint))
            (row or self._row(one)).take(one)
            if self._tracing is not None:
                self._tracing.settled(one)

    def contracts(self, found: Iterable[Contract]) -> None:
        """How the classes' objectives stand."""
        for one in found:
            self._put(names.OBJECTIVE, one.objective, one.name)
            self._put(names.BUDGET_LEFT, one.budget_left_ratio, one.name)
            for window, burn in one.burn:
                self._put(names.BURN, burn, one.name, window)

    def recorded(self, record: Record) -> None:
        """A record on its way to the ledger."""
        if taker := self._takers.get(type(record)):
            taker(record)

    def wished(self, advice: Advise) -> None:
        """A loop wishes a set-point (its names come from the fleet file, so they are few)."""
        labels = (advice.loop, advice.actuator, advice.scope)
        self._put(names.LOOP_SETPOINT, advice.present, *labels)
        if advice.wish is not None:
            self._put(names.LOOP_WISH, advice.wish, *labels)

    def diagnosed(self, seen: Diagnosed) -> None:
        """Findings that stand (1) or stood (0), and margins (NaN where one is not known now)."""
        now: dict[tuple[str, ...], float] = {}
        for one in seen.findings:
            for loop in one.loops or (NONE,):
                now[one.code, level_of(one), loop] = 1.0
        margins: dict[tuple[str, ...], float] = {
            (name, one.what): one.value for name, one in seen.margins
        }
        for metric, told, otherwise in (
            (names.FINDING, now, 0.0),
            (names.MARGIN, margins, float("nan")),
        ):
            shown = self._shown.setdefault(metric.name, {})
            for labels in told.keys() | shown.keys():
                if labels in shown or len(shown) < ROWS_MAX:
                    shown[labels] = None
                    self._put(metric, told.get(labels, otherwise), *labels)

    def published(self, board: PriceBoard) -> None:
        """Prices came into force."""
        self._board = board
        put = self._put
        put(names.BOARD_VERSION, board.version)
        put(names.SOLVER_GAP, board.gap)
        for price in board.pools:
            put(names.GPU_PRICE, price.usd_per_gpu_second, price.pool)
            put(names.KV_PRICE, price.usd_per_kv_token_second, price.pool)
            put(names.ENERGY_PRICE, price.usd_per_joule, price.pool)
            put(names.POOL_LOAD, price.load, price.pool)
        for budget, usd in board.budgets:
            put(names.BUDGET_PRICE, usd, budget)

    def sampled(self, endpoint: int, sample: EngineSample | None, at: Seconds) -> None:
        """An engine was read at `at`; None = it could not be."""
        found = self._endpoint(endpoint)
        if found is None:
            return
        if sample is None:
            self._meters.cell(names.SCRAPE_FAILURES, found.name).value += 1
            return
        self._good_at[found.name] = at
        for metric, value in (
            (names.RUNNING, sample.running),
            (names.WAITING, sample.waiting),
            (names.KV_USAGE, sample.kv_usage),
        ):
            if value is not None:
                self._put(metric, value, found.name, found.pool)
        if sample.running is not None:
            self._draw_power(found, sample.running, at)

    def in_flight(self, loads: Iterable[PeerLoad]) -> None:
        """This gateway's work by endpoint, all workers together; endpoints not listed have none."""
        working = {load.endpoint: load.running + load.pending for load in loads}
        for number, endpoint in enumerate(self._fleet.endpoints):
            self._put(names.IN_FLIGHT, working.get(number, 0), endpoint.name, endpoint.pool)

    def circuit(self, endpoint: int, state: CircuitState) -> None:
        """An endpoint's circuit opened or closed."""
        if found := self._endpoint(endpoint):
            self._put(names.CIRCUIT, _CIRCUIT_VALUES[state], found.name)

    def notice(self, notice: Notice) -> None:
        """A line for the operator was printed or held back."""
        self._meters.cell(names.NOTICES, notice.level, notice.code).value += 1

    def ledger(self, available: bool) -> None:
        """The ledger can, or can't, keep records."""
        self._put(names.LEDGER_UP, 1.0 if available else 0.0)

    def sealed(self, count: int) -> None:
        """How many records are durable since the start, in all."""
        self._put(names.RECORDS, count)

    def pause(self, seconds: Iterable[Seconds], worker: int = 0) -> None:
        """Pauses of a worker's loop."""
        found = self._meters.buckets(names.PAUSES, str(worker))
        for value in seconds:
            found.observe(value)

    def worker_lag(self, worker: int, seconds: Seconds) -> None:
        """How old a worker's view of the other workers is."""
        self._put(names.WORKER_LAG, seconds, str(worker))

    def decided(self, seconds: Iterable[Seconds]) -> None:
        """CPU time of some sampled decisions."""
        found = self._meters.buckets(names.DECISION_TIME)
        for value in seconds:
            found.observe(value)

    def render(self) -> bytes:
        """The page for Prometheus, with ages as of now."""
        at = self._now()
        if self._board.version:
            self._put(names.BOARD_AGE, self._board.age_s(at))
        for source, good_at in self._good_at.items():
            self._put(names.SIGNAL_AGE, max(0.0, at - good_at), source)
        if self._tracing is not None:
            for signal, number in self._tracing.lost.items():
                self._put(names.EXPORTS_LOST, number, signal)
        return self._meters.render()

    def close(self) -> None:
        """Export what waits, for a few seconds at most."""
        if self._tracing is not None:
            self._tracing.close()

    def _put(self, metric: names.Metric, value: float, *labels: str) -> None:
        self._meters.cell(metric, *labels).value = value

    def _endpoint(self, number: int) -> Endpoint | None:
        """None for a number that the fleet in force has not (it has just changed)."""
        endpoints = self._fleet.endpoints
        return endpoints[number] if 0 <= number < len(endpoints) else None

    def _row(self, one: Settled) -> "_Row":
        if len(self._rows) >= ROWS_MAX:
            self._rows.clear()
        endpoint = self._endpoint(one.endpoint)
        row = _Row(self._meters, one, endpoint.pool if endpoint else NONE)
        self._rows[one.class_name, one.model, one.endpoint] = row
        return row

    def _draw_power(self, endpoint: Endpoint, running: float, at: Seconds) -> None:
        """Joules since the last reading: its watts over that time, if it was not too long ago."""
        pool = endpoint.pool
        watts = self._curves[pool].watts(running)
        before_at, before = self._power.get(endpoint.name, (at, 0.0))
        self._power[endpoint.name] = (at, watts)
        self._meters.cell(names.POWER, pool).value += watts - before
        if 0.0 < at - before_at <= FRESH_S_MAX:
            self._meters.cell(names.ENERGY, pool).value += before * (at - before_at)

    def _planned(self, record: Record) -> None:
        if isinstance(record, PricesSet):
            result = "published" if record.published else "refused"
            self._meters.cell(names.PLANS, result).value += 1
            self._meters.buckets(names.PERIOD_TIME).observe(record.solve_s)

    def _acted(self, record: Record) -> None:
        if isinstance(record, LoopAction):
            self._meters.cell(names.LOOP_ACTIONS, record.loop, record.actuator).value += 1

    def _configured(self, record: Record) -> None:
        if isinstance(record, ConfigSet):
            result = "in-force" if record.in_force else "refused"
            self._meters.cell(names.CONFIG_CHANGES, result).value += 1

    def _turned_away(self, record: Record) -> None:
        if isinstance(record, TurnedAway):
            self._meters.cell(names.DECISIONS, "refused", record.code).value += record.count
            nobody = self._meters.cell(names.REQUESTS, NONE, NONE, NONE, "refused")
            nobody.value += record.count


def _tracing(config: Config, env: Mapping[str, str]) -> "Tracing | None":
    address = config.telemetry.otlp_endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not address:
        return None
    from flyball.serve.telemetry.tracing import Tracing

    return Tracing(config.telemetry, address)


class _Row:
    """The series that requests of one class, model and endpoint go to, looked up once."""

    def __init__(self, meters: Meters, one: Settled, pool: str) -> None:
        self.meters = meters
        self.labels = (one.class_name or NONE, one.model or NONE, pool)
        self.outcomes: dict[tuple[str, str], tuple[Cell, Cell]] = {}
        klass, _, _ = self.labels

        def cell(metric: names.Metric, *labels: str) -> Cell:
            return meters.cell(metric, *labels)

        self.in_time = cell(names.IN_TIME, klass)
        self.value = cell(names.VALUE, klass)
        self.cost = cell(names.COST, klass, pool)
        self.retries = cell(names.CLIENT_RETRIES, klass)
        self.begun = cell(names.SESSIONS_BEGUN, klass)
        self.steps = cell(names.SESSION_STEPS, klass)
        self.spared = cell(names.STEPS_SPARED, klass)
        self.again = cell(names.ATTEMPTS_AGAIN, pool)
        self.input = cell(names.TOKENS, pool, "input")
        self.cached = cell(names.TOKENS, pool, "cached")
        self.output = cell(names.TOKENS, pool, "output")
        self.predicted = cell(names.TTFT_PREDICTED, pool)
        self.ttft: Buckets = meters.buckets(names.TTFT, klass, pool)
        self.tpot: Buckets = meters.buckets(names.TPOT, klass, pool)
        self.e2e: Buckets = meters.buckets(names.E2E, klass, pool)
        self.held: Buckets = meters.buckets(names.HELD, klass)

    def take(self, one: Settled) -> None:
        """Count one request."""
        ended, decided = self.outcomes.get((one.outcome, one.code)) or self._outcome(one)
        ended.value += 1
        decided.value += 1
        self.cost.value += one.cost_usd
        if one.is_retry:
            self.retries.value += 1
        if one.attempts > 1:
            self.again.value += one.attempts - 1
        if one.held_s > 0:
            self.held.observe(one.held_s)
        if one.copy or one.tokens_cut or one.served_model:
            self._granted(one)
        if one.guaranteed and one.outcome != "client-gone":
            self._promised(one)
        if one.outcome == "refused":
            return
        if one.session_step:
            self.steps.value += one.outcome == "served"
            self.begun.value += one.outcome == "served" and one.session_step == 1
            self.spared.value += one.is_spared
        if one.in_time:
            self.in_time.value += 1
            self.value.value += one.value_usd
        self.input.value += one.input_tokens
        self.cached.value += one.cached_tokens
        self.output.value += one.output_tokens
        self.e2e.observe(one.e2e_s)
        if one.ttft_s > 0:
            self.ttft.observe(one.ttft_s)
            self.predicted.value += one.ttft_s_predicted
            if one.output_tokens > 1:
                self.tpot.observe((one.e2e_s - one.ttft_s) / (one.output_tokens - 1))

    def _granted(self, one: Settled) -> None:
        klass, cell = self.labels[0], self.meters.cell
        if one.copy:
            cell(names.COPIES, klass, one.copy).value += 1
        if one.served_model:
            cell(names.DEMOTIONS, klass, one.served_model).value += 1
        cell(names.CONTEXT_CUT, klass).value += one.tokens_cut

    def _promised(self, one: Settled) -> None:
        klass = self.labels[0]
        result = "broken" if one.penalty_usd > 0.0 else "kept"
        self.meters.cell(names.PROMISES, klass, result).value += 1
        self.meters.cell(names.PENALTY, klass).value += one.penalty_usd

    def _outcome(self, one: Settled) -> tuple[Cell, Cell]:
        """Bounded: outcomes and fault codes are the core's own words."""
        is_refused = one.outcome == "refused"
        decision = ("refused", one.code or NONE) if is_refused else ("admitted", NONE)
        found = (
            self.meters.cell(names.REQUESTS, *self.labels, one.outcome),
            self.meters.cell(names.DECISIONS, *decision),
        )
        self.outcomes[one.outcome, one.code] = found
        return found
