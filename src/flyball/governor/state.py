"""What does the governor hold between two events? (State only; the stages and steps act on it.)"""

from collections import deque

import numpy as np

from flyball.governor.authority import Authority, Library, NoBundles, Open
from flyball.governor.budget import RetryBudget
from flyball.governor.commands import Command, Record
from flyball.governor.flight import Flight
from flyball.governor.loops.context import ContextLoop
from flyball.governor.loops.forecast import Forecast
from flyball.governor.loops.modes import LoopModes
from flyball.governor.loops.retry import RetryGain
from flyball.governor.loops.setpoint import SetPoints
from flyball.governor.loops.steering import LoopContext
from flyball.governor.mandates import Mandates
from flyball.governor.marginal import ROWS
from flyball.governor.policy import Policy
from flyball.governor.prefix import PrefixIndex
from flyball.governor.programs import Programs
from flyball.governor.promises import PromiseBook
from flyball.governor.purses import Purses, Treasury
from flyball.governor.scope import Scope, place_of
from flyball.governor.sessions import SessionTable
from flyball.governor.stops import Stops
from flyball.governor.tally import ClassTally, TokenRatio
from flyball.governor.tariff import Tariff, tariff
from flyball.governor.trims import Trims
from flyball.governor.view import FleetView, Vector
from flyball.governor.watching import Watching
from flyball.model.decision import LoopAction
from flyball.model.fleet import Fleet
from flyball.model.request import Principal
from flyball.model.signals import Settled
from flyball.model.verdict import Place, Subject
from flyball.pricing.problem import Problem
from flyball.units import Seconds

SCOPES_MAX = 4096
ALIASES_MAX = 65_536
SETTLED_MAX = 4096

# Rows of the scratch matrix: the terms of each candidate's cost, as a decision writes them down.
TTFT, TPOT, LATENESS, HARM, RESOURCE, TOTAL = range(6)
LINEAR_ROWS = 5
PROMISES_MAX = 4096
EXPONENT_MAX = 50.0


def _weights() -> Vector:
    """The constant part of the weight matrix [5 x len(ROWS)] that prices a request's sizes."""
    matrix = np.zeros((LINEAR_ROWS, len(ROWS)))
    for row, base in ((TTFT, "ttft_base"), (TPOT, "tpot_base"), (HARM, "harm_base")):
        matrix[row, ROWS.index(base)] = 1.0
    return matrix


class State:
    """All mutable state of one governor."""

    def __init__(
        self, fleet: Fleet, policy: Policy, run: str = "", library: Library | None = None
    ) -> None:
        self.run = run
        self.bundles: Library = library or NoBundles()
        self.authority: Authority = Open()
        self.governed = False
        self.policy_heard_at: Seconds = 0.0
        self.loop_leave: dict[tuple[str, str, str, int], bool] = {}
        self.mandates = Mandates()
        self.stops = Stops()
        self.purses = Purses(policy.role == "whole")
        self.treasury = Treasury(policy.workers)
        self.flights: dict[str, Flight] = {}
        self.held: deque[Flight] = deque()
        self.sessions = SessionTable()
        self.ratios: dict[str, TokenRatio] = {}
        self.settled: list[Settled] = []
        self.tallies: dict[str, ClassTally] = {}
        self.promises = PromiseBook()
        self.programs = Programs()
        self.draining = False
        self.ledger_detail = ""
        self.solving = False
        self.solve_due: Seconds = 0.0
        self.problem: Problem | None = None
        self.forecasts: dict[str, Forecast] = {}
        self.pooling: dict[str, float] = {}
        self.version_floor = 0
        self.distrusting = False
        self.records_made = 0
        self.rotation = 0
        self.generation = -1
        self.modes = LoopModes()
        self.retry_gain = RetryGain()
        self.context_loops: dict[str, ContextLoop] = {}
        self.setpoints = SetPoints()
        self.contexts: tuple[LoopContext, ...] = ()
        self.contexts_generation = -1
        self.meters: dict[tuple[str, str], tuple[Seconds, float]] = {}
        self.plans_refused = 0
        self.trims = Trims()
        self.watching = Watching()
        self.weights = _weights()
        self.budget = RetryBudget(
            policy.resilience.retry_budget_ratio, policy.resilience.retry_budget_tokens_max
        )
        self.adopt(fleet, policy)

    def adopt(
        self, fleet: Fleet, policy: Policy, at: Seconds = 0.0, old: FleetView | None = None
    ) -> None:
        """Take a configuration: rebuild what depends on it, keep what was learnt."""
        self.fleet = fleet
        self.policy = policy
        self.modes.adopt(policy.loops, policy.mode)
        self.generation += 1
        self.view = FleetView(fleet, policy, at, old)
        self.programs.adopt(policy.classes)
        self.class_index = {klass.name: i for i, klass in enumerate(policy.classes)}
        self.budget_of = {name: one.name for one in policy.budgets for name in one.classes}
        self.principals: dict[str, Principal] = {
            principal.key_sha256: principal for principal in policy.principals
        }
        self.models = frozenset(model for pool in fleet.pools for model in pool.models)
        self.forget_scopes()
        self.mandates.adopt(policy.authority)
        sites = {site.name: site for site in fleet.sites}
        self.places: tuple[Place, ...] = tuple(
            place_of(pool, sites[pool.site], tariff(pool)) for pool in fleet.pools
        )
        self.tariffs: tuple[Tariff, ...] = tuple(tariff(pool) for pool in fleet.pools)
        if old is None or list(old.index_of) != list(self.view.index_of):
            # Its numbers are the endpoints' places: after a change of fleet it is learnt anew.
            self.prefix_index = PrefixIndex(
                len(fleet.endpoints),
                tuple(_blocks_max(state.kv_max) for state in self.view.endpoints),
            )
        self.context_loops = {
            klass.name: self.context_loops.get(klass.name) or ContextLoop()
            for klass in policy.classes
            if klass.context.allow_truncation
        }
        # Classes whose requests may be granted less than they ask for, by number.
        self.grants = frozenset(
            number
            for number, klass in enumerate(policy.classes)
            if klass.context.allow_truncation or klass.output.tokens_max or klass.output.by_price
        )
        for klass in policy.classes:
            self.tallies.setdefault(klass.name, ClassTally(float(klass.output_tokens_mean)))
        self._shape(len(fleet.endpoints))
        self._promise_columns: dict[tuple[float, float], tuple[Vector, Vector]] = {}

    def forget_scopes(self) -> None:
        """What they were made from has changed: fleet, policies or stops.

        `scopes` finds a kind of request's scope, `scopes_made` are the scopes themselves: kinds
        with equal rules share one.
        """
        self.scopes: dict[tuple[str, ...], Scope] = {}
        self.scopes_made: dict[tuple[str, ...], Scope] = {}
        self.subjects: dict[tuple[str, str, str], Subject] = {}
        self.loop_leave.clear()

    def _shape(self, count: int) -> None:
        """Scratch space of one decision; vectors that join TTFT and TPOT are [2 * endpoints]."""
        self.scratch: Vector = np.zeros((6, count))
        self.linear: Vector = self.scratch[:LINEAR_ROWS]
        self.lateness: Vector = self.scratch[LATENESS]
        self.harm: Vector = self.scratch[HARM]
        self.resource: Vector = self.scratch[RESOURCE]
        self.total: Vector = self.scratch[TOTAL]
        self.latencies: Vector = self.scratch[TTFT : TPOT + 1].reshape(-1)
        self.exponents: Vector = np.zeros(2 * count)
        self.ttft_exponents: Vector = self.exponents[:count]
        self.tpot_exponents: Vector = self.exponents[count:]
        self.exponent_max: Vector = np.full(2 * count, EXPONENT_MAX)
        self.ones: Vector = np.ones(2 * count)
        self.work: Vector = np.zeros(count)

    def promise_columns(self, ttft_s: Seconds, tpot_s: Seconds) -> tuple[Vector, Vector]:
        """(slope, offset), each [2 * endpoints]: latency * slope - offset = excess / width.

        A tight promise narrows the width; without a promise the exponent is far below zero.
        Clients may name promises of their own, so the table is bounded.
        """
        found = self._promise_columns.get((ttft_s, tpot_s))
        if found is not None:
            return found
        if len(self._promise_columns) >= PROMISES_MAX:
            self._promise_columns.clear()
        pricing = self.policy.pricing
        count = len(self.view.endpoints)
        slope, offset = np.zeros(2 * count), np.full(2 * count, EXPONENT_MAX)
        widths = (pricing.ttft_width_s, pricing.tpot_width_s)
        for row, (promised, width) in enumerate(zip((ttft_s, tpot_s), widths, strict=True)):
            if promised > 0.0:
                part = slice(row * count, (row + 1) * count)
                slope[part] = 1.0 / min(width, 0.25 * promised)
                offset[part] = promised * slope[part]
        self._promise_columns[(ttft_s, tpot_s)] = (slope, offset)
        return slope, offset

    def record_id(self, prefix: str) -> str:
        """A new id for a record that belongs to no request."""
        self.records_made += 1
        return f"{prefix}-{self.run}-{self.records_made}"

    def ratio(self, model: str) -> TokenRatio:
        """Bytes per token of that model (bounded: models come from the fleet file)."""
        found = self.ratios.get(model)
        if found is None:
            found = self.ratios[model] = TokenRatio()
        return found

    def note_settled(self, settled: Settled) -> None:
        """Keep for the next report; beyond the bound the oldest half is given up."""
        self.settled.append(settled)
        if len(self.settled) > SETTLED_MAX:
            del self.settled[: SETTLED_MAX // 2]

    def health_changed(self, at: Seconds, index: int, reason: str, out: list[Command]) -> None:
        """Derive the block of one endpoint and write the move down if there was one."""
        from_blocked = bool(self.view.blocked[index])
        if self.view.set_blocked(at, index):
            scope = self.view.endpoints[index].name
            old, new = str(from_blocked).lower(), str(not from_blocked).lower()
            mode = self.policy.mode
            act = self.action(at, "health", "endpoint.blocked", scope, old, new, reason, mode)
            out.append(Record(act))

    def action(
        self,
        at: Seconds,
        loop: str,
        actuator: str,
        scope: str,
        old: str,
        new: str,
        reason: str,
        mode: str,
    ) -> LoopAction:
        """The record that one loop's set-point moved, was frozen, or was let go."""
        return LoopAction(
            id=self.record_id("act"),
            at=at,
            loop=loop,
            actuator=actuator,
            scope=scope,
            old=old,
            new=new,
            reason=reason,
            mode=mode,
        )


def _blocks_max(kv_tokens: float) -> int:
    """Prefix blocks of 1,024 bytes (about 256 tokens) that an engine's KV cache can hold."""
    return max(16, int(kv_tokens / 256.0))
