"""What does the governor answer to each event? The dispatcher, and nothing else."""

from collections.abc import Callable
from typing import Any

from flyball.governor import oversight, period, request
from flyball.governor.authority import Library
from flyball.governor.commands import Command
from flyball.governor.events import (
    Actuated,
    AttemptFailed,
    BoardReceived,
    BudgetLent,
    BudgetsKept,
    BudgetTold,
    BundlesSet,
    ClientGone,
    DeadlinePassed,
    DrainBegun,
    EndpointDraining,
    Event,
    FeedHeard,
    FirstByte,
    FleetChanged,
    HedgeDue,
    HoldSet,
    LedgerChanged,
    LoopModeSet,
    Metered,
    Observed,
    PeersSeen,
    QuoteAsked,
    QuoteTaken,
    RequestArrived,
    Revoked,
    Sampled,
    Served,
    Solved,
    StopSet,
    Tick,
    WorkerLost,
)
from flyball.governor.flight import Flight
from flyball.governor.policy import Policy
from flyball.governor.request import hedge, quote, settle
from flyball.governor.state import State
from flyball.model.fleet import Fleet
from flyball.model.prices import PriceBoard
from flyball.model.signals import PeerLoad


class Governor:
    """The core. Feed it one event at a time; carry out the commands in order.

    Equal events in equal order give equal commands: nothing else is read. Not thread-safe: one
    driver owns it. `run` makes the ids of this governor's records unlike those of its peers and
    predecessors, as they share a ledger. `library` = the policy bundles that the driver verified.
    """

    def __init__(
        self, fleet: Fleet, policy: Policy, run: str = "0", library: Library | None = None
    ) -> None:
        self.state = State(fleet, policy, run, library)
        self._table: dict[type, Callable[[Any, list[Command]], None]] = {
            RequestArrived: self._request_arrived,
            QuoteAsked: self._quote_asked,
            QuoteTaken: self._quote_taken,
            HedgeDue: self._hedge_due,
            FirstByte: self._first_byte,
            Served: self._served,
            AttemptFailed: self._attempt_failed,
            ClientGone: self._client_gone,
            DeadlinePassed: self._deadline_passed,
            Sampled: self._sampled,
            PeersSeen: self._peers_seen,
            Observed: self._observed,
            Tick: self._tick,
            Solved: self._solved,
            BoardReceived: self._board_received,
            FleetChanged: self._fleet_changed,
            EndpointDraining: self._endpoint_draining,
            DrainBegun: self._drain_begun,
            LedgerChanged: self._ledger_changed,
            LoopModeSet: self._loop_mode_set,
            HoldSet: self._hold_set,
            Actuated: self._actuated,
            Metered: self._metered,
            BundlesSet: self._bundles_set,
            Revoked: self._revoked,
            FeedHeard: self._feed_heard,
            StopSet: self._stop_set,
            BudgetTold: self._budget_told,
            WorkerLost: self._worker_lost,
            BudgetLent: self._budget_lent,
            BudgetsKept: self._budgets_kept,
        }

    def handle(self, event: Event) -> list[Command]:
        """The commands that this event calls for, in the order to carry them out."""
        out: list[Command] = []
        self._table[type(event)](event, out)
        return out

    def in_flight(self) -> list[PeerLoad]:
        """This governor's own work, endpoint by endpoint, for its peers."""
        return self.state.view.own_loads()

    @property
    def board(self) -> PriceBoard:
        """The prices in force."""
        return self.state.view.board

    # The path of one request.

    def _request_arrived(self, event: RequestArrived, out: list[Command]) -> None:
        flight = Flight(event.request_id, event.at, event.head, event.draw)
        request.arrive(self.state, flight, event.at, out)

    def _quote_asked(self, event: QuoteAsked, out: list[Command]) -> None:
        quote.ask(self.state, event, out)

    def _quote_taken(self, event: QuoteTaken, out: list[Command]) -> None:
        quote.take(self.state, event, out)

    def _hedge_due(self, event: HedgeDue, out: list[Command]) -> None:
        hedge.due(self.state, event, out)

    def _first_byte(self, event: FirstByte, out: list[Command]) -> None:
        settle.first_byte(self.state, event, out)

    def _served(self, event: Served, out: list[Command]) -> None:
        settle.served(self.state, event, out)
        request.reconsider(self.state, event.at, out)

    def _attempt_failed(self, event: AttemptFailed, out: list[Command]) -> None:
        flight = settle.attempt_failed(self.state, event, out)
        if flight is not None:
            request.decide(self.state, flight, event.at, out)

    def _client_gone(self, event: ClientGone, out: list[Command]) -> None:
        settle.client_gone(self.state, event.at, event.request_id, out)
        request.reconsider(self.state, event.at, out)

    def _deadline_passed(self, event: DeadlinePassed, out: list[Command]) -> None:
        settle.deadline_passed(self.state, event.at, event.request_id, out)

    # What comes in between.

    def _sampled(self, event: Sampled, out: list[Command]) -> None:
        period.observe.sampled(self.state, event)

    def _peers_seen(self, event: PeersSeen, out: list[Command]) -> None:
        self.state.view.take_peers(event.loads)
        request.reconsider(self.state, event.at, out)

    def _observed(self, event: Observed, out: list[Command]) -> None:
        period.observe.observed(self.state, event)

    def _board_received(self, event: BoardReceived, out: list[Command]) -> None:
        if event.board.version > self.state.view.board.version:
            self.state.view.take_board(event.board)

    def _fleet_changed(self, event: FleetChanged, out: list[Command]) -> None:
        period.observe.fleet_changed(self.state, event, out)
        oversight.redecide(self.state, event.at, out)

    def _endpoint_draining(self, event: EndpointDraining, out: list[Command]) -> None:
        endpoint = self.state.view.endpoints[event.endpoint]
        endpoint.draining = event.draining
        self.state.health_changed(event.at, event.endpoint, "operator: draining", out)

    def _drain_begun(self, event: DrainBegun, out: list[Command]) -> None:
        self.state.draining = True

    def _ledger_changed(self, event: LedgerChanged, out: list[Command]) -> None:
        self.state.ledger_detail = "" if event.available else event.detail or "no reason given"

    def _loop_mode_set(self, event: LoopModeSet, out: list[Command]) -> None:
        period.hold.mode_set(self.state, event, out)

    def _hold_set(self, event: HoldSet, out: list[Command]) -> None:
        period.hold.hold_set(self.state, event, out)

    def _actuated(self, event: Actuated, out: list[Command]) -> None:
        period.hold.actuated(self.state, event, out)

    def _metered(self, event: Metered, out: list[Command]) -> None:
        period.hold.metered(self.state, event)

    # What people and policies say.

    def _bundles_set(self, event: BundlesSet, out: list[Command]) -> None:
        oversight.bundles_set(self.state, event, out)
        request.reconsider(self.state, event.at, out)

    def _revoked(self, event: Revoked, out: list[Command]) -> None:
        oversight.revoked(self.state, event, out)
        request.reconsider(self.state, event.at, out)

    def _feed_heard(self, event: FeedHeard, out: list[Command]) -> None:
        oversight.feed_heard(self.state, event)

    def _stop_set(self, event: StopSet, out: list[Command]) -> None:
        oversight.stop_set(self.state, event, out)
        request.reconsider(self.state, event.at, out)

    def _budget_told(self, event: BudgetTold, out: list[Command]) -> None:
        oversight.budget_told(self.state, event, out)

    def _budgets_kept(self, event: BudgetsKept, out: list[Command]) -> None:
        oversight.budgets_kept(self.state, event)

    def _worker_lost(self, event: WorkerLost, out: list[Command]) -> None:
        oversight.worker_lost(self.state, event)

    def _budget_lent(self, event: BudgetLent, out: list[Command]) -> None:
        oversight.budget_lent(self.state, event)
        request.reconsider(self.state, event.at, out)

    # The path of one control period.

    def _tick(self, event: Tick, out: list[Command]) -> None:
        if self.state.stops:
            oversight.stops_over(self.state, event.at)
        if not self.state.purses.is_whole and self.state.policy.role != "control":
            oversight.tell_budgets(self.state, event.at, out)
        period.begin(self.state, event.at, out)
        request.reconsider(self.state, event.at, out)

    def _solved(self, event: Solved, out: list[Command]) -> None:
        period.finish(self.state, event, out)
