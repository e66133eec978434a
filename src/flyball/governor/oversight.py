"""What do acts of people and of policy change: bundles, revocations, stops, budgets lent?

Each takes effect with its event: nothing new is admitted against it, and what runs against it is
cut. Every act is recorded once, with the number of requests it ended; in a gateway of several
workers each worker records what it cut, and the control process the act itself.
"""

from collections.abc import Iterable

from flyball.governor.commands import (
    Command,
    KeepBudget,
    LendBudget,
    Notice,
    Record,
    TellBudget,
)
from flyball.governor.events import (
    BudgetLent,
    BudgetsKept,
    BudgetTold,
    BundleOrigin,
    BundlesSet,
    FeedHeard,
    Revoked,
    StopSet,
    WorkerLost,
)
from flyball.governor.flight import Flight
from flyball.governor.request.authorize import scope_of
from flyball.governor.request.permit import against
from flyball.governor.request.settle import cut
from flyball.governor.state import State
from flyball.model.acts import BundleSet, Oversight, RevocationSet
from flyball.model.faults import Refusal
from flyball.model.verdict import Circumstances, Place, Subject, Verdict
from flyball.units import Seconds

ROLES = ("workload", "site")


class Missing:
    """The authority in force while one of its bundles is not at hand: nothing is allowed."""

    def __init__(self, digests: tuple[str, ...]) -> None:
        self.digests = digests
        self._why = f"a bundle of {', '.join(d[:23] for d in digests)} is not at hand"

    def mask(self, subject: Subject, places: tuple[Place, ...]) -> tuple[str, ...]:
        """Nothing: it is no rule that stands in the way, and the answer should say so."""
        return ("",) * len(places)

    def decide(self, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
        """Always no."""
        return Verdict(allowed=False, errors=(self._why,), bundles=self.digests)


def bundles_set(state: State, event: BundlesSet, out: list[Command]) -> None:
    """Other policies are in force from here on; what they forbid is cut."""
    before = state.authority.digests
    state.policy_heard_at = event.at
    if event.digests == before:
        return
    found = state.bundles.authority(event.digests)
    state.authority = found or Missing(event.digests)
    state.governed = bool(event.digests)
    if found is None:
        text = f"bundles {', '.join(event.digests)} are not at hand: nothing is allowed"
        out.append(Notice("error", "bundle-missing", text))
    if state.policy.role != "worker":
        _record_bundles(state, event, before, found is not None, out)
    redecide(state, event.at, out)


def _record_bundles(
    state: State,
    event: BundlesSet,
    before: tuple[str, ...],
    is_at_hand: bool,
    out: list[Command],
) -> None:
    for place, digest in enumerate(event.digests or ("",)):
        if digest and digest in before:
            continue
        origin = event.origins[place] if event.origins else BundleOrigin(ROLES[min(place, 1)], 0)
        record = BundleSet(
            id=state.record_id("bundle"),
            at=event.at,
            digest=digest,
            role=origin.role,
            version=origin.version,
            in_force=is_at_hand,
            reason="" if is_at_hand else "it is not at hand here",
            signers=origin.signers,
            replaced=before[place] if place < len(before) else "",
            by=event.by,
        )
        out.append(Record(record))


def redecide(state: State, at: Seconds, out: list[Command]) -> None:
    """Scopes are made anew, and what is under way is looked at again: it may be forbidden now."""
    state.forget_scopes()
    for flight in list(state.flights.values()):
        refusal = _against(state, flight, at)
        if refusal is not None:
            cut(state, flight, at, refusal, out)


def _against(state: State, flight: Flight, at: Seconds) -> Refusal | None:
    """Why it may not go on where it is, or may not begin anywhere; its scope is set anew."""
    grant = flight.granted
    scope = scope_of(state, flight, (grant.model if grant else "") or flight.head.model)
    if scope is None:
        return None
    flight.scope = scope
    endpoint = flight.endpoint
    if endpoint is None:
        return None if scope.count else _nowhere(scope.reasons)
    if endpoint.name not in state.view.index_of:
        return None  # a reload took it out of the fleet: what runs there may end there
    why = scope.reasons[endpoint.index]
    if why.startswith("policy: "):
        return Refusal(code="policy_denied", detail=why.removeprefix("policy: "))
    if why.startswith("stop: "):
        return Refusal(code="stopped", detail=why.removeprefix("stop: "))
    return against(state, flight, at, endpoint)


def _nowhere(reasons: Iterable[str]) -> Refusal | None:
    for why in reasons:
        for start, code in (("stop: ", "stopped"), ("policy: ", "policy_denied")):
            if why.startswith(start):
                return Refusal(code=code, detail=why.removeprefix(start))
    return None


def revoked(state: State, event: Revoked, out: list[Command]) -> None:
    """Mandates are void: what runs under them, or under what they were passed on to, is cut."""
    ended = 0
    refusal = Refusal(code="mandate_revoked", detail=f"by {event.by}: {event.reason}")
    for party in state.mandates.revoke(event):
        for request_id in sorted(party.flights):
            flight = state.flights.get(request_id)
            if flight is not None:
                cut(state, flight, event.at, refusal, out)
                ended += 1
    if ended or state.policy.role != "worker":
        record = RevocationSet(
            id=state.record_id("revocation"),
            at=event.at,
            feed=event.feed,
            sequence=event.sequence,
            ids=event.ids,
            by=event.by,
            reason=event.reason,
            cut=ended,
            effect_s=_since(event.made_at, event.at),
            subjects=event.subjects,
            made_at=event.made_at,
        )
        out.append(Record(record))


def _since(made_at: Seconds, at: Seconds) -> Seconds:
    return max(0.0, at - made_at) if made_at else 0.0


def feed_heard(state: State, event: FeedHeard) -> None:
    """What is known of revocations is fresh again."""
    state.mandates.hear(event)


def stop_set(state: State, event: StopSet, out: list[Command]) -> None:
    """A person stops something, or lets it go on."""
    fault = state.stops.take(event)
    if fault:
        out.append(Notice("error", "stop-refused", fault))
        return
    ended = 0
    if event.scope.startswith("site:"):
        before = len(state.flights)
        redecide(state, event.at, out)
        ended = before - len(state.flights)
    elif event.is_stopped:
        ended = _cut_stopped(state, event.at, out)
    if ended or state.policy.role != "worker":
        record = Oversight(
            id=state.record_id("oversight"),
            at=event.at,
            act="stop" if event.is_stopped else "resume",
            scope=event.scope,
            by=event.by,
            reason=event.reason,
            seconded_by=event.seconded_by,
            until=event.until,
            cut=ended,
            effect_s=_since(event.made_at, event.at),
        )
        out.append(Record(record))


def _cut_stopped(state: State, at: Seconds, out: list[Command]) -> int:
    ended = 0
    for flight in list(state.flights.values()):
        why = state.stops.against(flight)
        if why:
            cut(state, flight, at, Refusal(code="stopped", detail=why), out)
            ended += 1
    return ended


def stops_over(state: State, at: Seconds) -> None:
    """Stops end at the time that was said."""
    if any(stop.scope.startswith("site:") for stop in state.stops.expire(at)):
        state.forget_scopes()


def budget_told(state: State, event: BudgetTold, out: list[Command]) -> None:
    """Control process: a worker's news of one budget; lend it more if it wants."""
    treasury, worker, block = state.treasury, event.worker, event.block
    account = treasury.account(block)
    before = account.committed if account is not None else 0
    treasury.told(worker, block, event.spent, event.returned)
    lend = None
    if event.wanted:
        amount, lent = treasury.lend(worker, block, event.limit_micro_usd, event.wanted)
        lend = LendBudget(worker, block, amount, lent)
    account = treasury.account(block)
    if treasury.is_kept and account is not None and account.committed != before:
        out.append(KeepBudget(block, account.limit, account.committed))
    if lend is not None:
        out.append(lend)


def budgets_kept(state: State, event: BudgetsKept) -> None:
    """What was spent before this start counts; a process that is alone lends to itself."""
    state.treasury.restore(event.accounts)
    if state.policy.role == "whole":
        state.purses.is_whole = False


def worker_lost(state: State, event: WorkerLost) -> None:
    """Control process: what a dead worker had counts as spent."""
    state.treasury.lost(event.worker)


def budget_lent(state: State, event: BudgetLent) -> None:
    """Worker: the treasury's answer."""
    state.purses.lend(event.block, event.amount, event.lent, event.at)


def tell_budgets(state: State, at: Seconds, out: list[Command]) -> None:
    """Worker: tell what was spent, and give back what lies idle, or at the end all."""
    is_end = state.draining and not state.flights
    for block, purse, spent, returned in state.purses.news(at, is_end):
        out.append(TellBudget(block, purse.limit, 0, spent, returned))
