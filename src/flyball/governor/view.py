"""What does a decision read of the whole fleet: a column of marginal prices per endpoint?

Endpoints whose state changed are marked dirty and only their rows are computed again, at the next
decision. `blocked` is 0 for an endpoint that may be used and infinite for one that may not.
"""

import numpy as np
from numpy.typing import NDArray

from flyball.governor.endpoint import EndpointState
from flyball.governor.marginal import ROWS, refresh
from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.model.prices import NO_BOARD, PoolPrice, PriceBoard
from flyball.model.signals import PeerLoad
from flyball.units import Seconds, Usd

Vector = NDArray[np.float64]

AUDIT_S = 0.05
UNTRUSTED_SHARE_MAX = 0.5
AGE_UNKNOWN_S = 1e6


class FleetView:
    """Live state of every endpoint and the matrix [len(ROWS) x endpoints] that decisions read."""

    def __init__(
        self, fleet: Fleet, policy: Policy, at: Seconds = 0.0, old: "FleetView | None" = None
    ) -> None:
        self.fleet = fleet
        self.policy = policy
        pools = {pool.name: (number, pool) for number, pool in enumerate(fleet.pools)}
        sites = {site.name: site for site in fleet.sites}
        kept = {state.name: state for state in old.endpoints} if old else {}
        self.endpoints: list[EndpointState] = []
        for index, endpoint in enumerate(fleet.endpoints):
            number, pool = pools[endpoint.pool]
            state = EndpointState(index, endpoint, pool, number, sites[pool.site])
            if endpoint.name in kept:
                _carry_over(kept[endpoint.name], state)
            elif old:
                state.slow_start_until = at + policy.resilience.slow_start_s
            self.endpoints.append(state)
        self.index_of = {state.name: state.index for state in self.endpoints}
        count = len(self.endpoints)
        self.rows: Vector = np.zeros((len(ROWS), count))
        first = ROWS.index("ttft_trust")
        self.trust: Vector = self.rows[first : first + 2].reshape(-1)
        self.blocked: Vector = np.zeros(count)
        self.health_generation = 0
        self.dirty: set[int] = set(range(count))
        self.board: PriceBoard = old.board if old else NO_BOARD
        self._pool_prices: list[PoolPrice | None] = [None] * len(fleet.pools)
        self._egress_usd: list[Usd] = [sites[pool.site].link_usd_per_byte for pool in fleet.pools]
        # USD per token of prompt and of answer that goes to somebody else, by endpoint.
        self.paid: Vector = np.array(
            [[state.input_usd for state in self.endpoints], [e.output_usd for e in self.endpoints]]
        ).reshape(2, count)
        # By class: what a USD of its budget is worth beyond a USD.
        self.budget_price: list[Usd] = [0.0] * len(policy.classes)
        self.arrival_usd_per_s: list[float] = [0.0] * count
        self.stale_count = self.mispredicted_count = 0
        self.audited_count = count
        self.now: Seconds = at
        self._audited_at: Seconds = float("-inf")
        if old:
            self.take_board(old.board)

    def take_board(self, board: PriceBoard) -> None:
        """Use these prices from now on; every row is due again."""
        self.board = board
        by_name = {price.pool: price for price in board.pools}
        self._pool_prices = [by_name.get(pool.name) for pool in self.fleet.pools]
        weight, links, budgets = (
            self.policy.pricing.plan_price_weight,
            dict(board.links),
            dict(board.budgets),
        )
        site_of = {site.name: site for site in self.fleet.sites}
        self._egress_usd = [
            site_of[pool.site].link_usd_per_byte + weight * links.get(pool.site, 0.0)
            for pool in self.fleet.pools
        ]
        price_of = {
            name: weight * budgets.get(budget.name, 0.0)
            for budget in self.policy.budgets
            for name in budget.classes
        }
        self.budget_price = [price_of.get(klass.name, 0.0) for klass in self.policy.classes]
        self.dirty.update(range(len(self.endpoints)))

    def fresh_rows(self, at: Seconds) -> Vector:
        """The matrix, with every dirty row computed again. An expired board counts as no board."""
        if self.dirty:
            if self.board.version and not self.board.is_valid(at):
                self.take_board(NO_BOARD)
            rows, policy, prices = self.rows, self.policy, self._pool_prices
            for index in self.dirty:
                state = self.endpoints[index]
                rows[:, index] = refresh(
                    state,
                    at,
                    policy,
                    prices[state.pool_index],
                    self.arrival_usd_per_s[index],
                    self._egress_usd[state.pool_index],
                )
            self.dirty.clear()
        return self.rows

    def take_peers(self, loads: tuple[PeerLoad, ...]) -> None:
        """Replace what is known of the other workers' work in flight."""
        told = {load.endpoint: load for load in loads}
        for state in self.endpoints:
            load = told.get(state.index)
            if load is None and not _has_peers(state):
                continue
            state.peer_running = load.running if load else 0
            state.peer_pending = load.pending if load else 0
            state.peer_prefill = load.pending_prefill_tokens if load else 0.0
            state.peer_kv = load.kv_tokens if load else 0.0
            state.peer_reserved = load.reserved if load else 0
            state.peer_reserved_prefill = load.reserved_prefill_tokens if load else 0.0
            state.peer_reserved_kv = load.reserved_kv_tokens if load else 0.0
            self.dirty.add(state.index)

    def own_loads(self) -> list[PeerLoad]:
        """This worker's own work, for its peers; endpoints without any are left out."""
        return [
            PeerLoad(
                endpoint=state.index,
                running=state.running,
                pending=state.pending,
                pending_prefill_tokens=state.pending_prefill,
                kv_tokens=state.kv,
                reserved=state.reserved,
                reserved_prefill_tokens=state.reserved_prefill,
                reserved_kv_tokens=state.reserved_kv,
            )
            for state in self.endpoints
            if state.running or state.pending or state.reserved
        ]

    def set_blocked(self, at: Seconds, index: int) -> bool:
        """Derive from draining and circuit whether it may be used; True if that changed."""
        state = self.endpoints[index]
        blocked = state.draining or (at < state.circuit_until and not state.allow_probe)
        value = np.inf if blocked else 0.0
        if self.blocked[index] == value:
            return False
        self.blocked[index] = value
        self.health_generation += 1
        return True

    def audit_trust(self, at: Seconds) -> None:
        """Count stale and mispredicting endpoints, at most once per `AUDIT_S`.

        Those that drain, or are off, tell nothing and are asked nothing: they do not count.
        """
        if self._audited_at <= at < self._audited_at + AUDIT_S:
            return
        self._audited_at = at
        self.now = at
        pricing = self.policy.pricing
        self.stale_count = self.mispredicted_count = self.audited_count = 0
        for state in self.endpoints:
            if state.draining:
                continue
            self.audited_count += 1
            if state.has_metrics:
                self.stale_count += state.quality(at, pricing.view_age_s_max) == "stale"
            self.mispredicted_count += state.is_doubted(at, pricing.mispredict_ratio_max)

    @property
    def untrusted(self) -> str:
        """Why the argmin is not believed: "stale", "mispredicted" or "" (it is believed).

        A wrong model inside a confident argmin is worse than no model.
        """
        limit = UNTRUSTED_SHARE_MAX * self.audited_count
        if self.stale_count > limit:
            return "stale"
        return "mispredicted" if self.mispredicted_count > limit else ""

    def age_s(self, index: int) -> Seconds:
        """Age of one endpoint's reading at the last audit; 0 if it is not scraped, as our own
        counts are exact."""
        state = self.endpoints[index]
        if not state.has_metrics:
            return 0.0
        return max(0.0, min(self.now - state.sample_at, AGE_UNKNOWN_S))


def _has_peers(state: EndpointState) -> bool:
    return bool(state.peer_running or state.peer_pending or state.peer_kv or state.peer_reserved)


def _carry_over(old: EndpointState, new: EndpointState) -> None:
    """A reload keeps what is in flight and what was learnt; figures of the new profile rule."""
    for name in (
        "running",
        "pending",
        "pending_prefill",
        "kv",
        "kv_pending",
        "kv_share",
        "peer_running",
        "peer_pending",
        "peer_prefill",
        "peer_kv",
        "peer_reserved",
        "peer_reserved_prefill",
        "peer_reserved_kv",
        "served_at",
        "foreign_running",
        "foreign_waiting",
        "foreign_seen",
        "foreign_kv",
        "sample",
        "sample_at",
        "scrape_error",
        "failures",
        "circuit_until",
        "circuit_open_s",
        "allow_probe",
        "draining",
        "session_tokens",
        "prefill_rate",
        "prefill_rate_at",
    ):
        setattr(new, name, getattr(old, name))
    if old.pool.profile == new.pool.profile:
        new.ttft_bias_log, new.tpot_bias_log = old.ttft_bias_log, old.tpot_bias_log
        new.ttft_bias, new.tpot_bias = old.ttft_bias, old.tpot_bias
        new.ttft_error, new.tpot_error = old.ttft_error, old.tpot_error
        new.observations = old.observations
        new.stray_mean, new.stray_deviation = old.stray_mean, old.stray_deviation
        new.tail = old.tail
