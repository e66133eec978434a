"""Is this request allowed at the pool that was chosen: the authorization itself?

The mask of the scope is only a filter. Here policy is asked with all that is known, and the
mandate's budgets are set aside. A no takes that pool out of the request's scope, and it is picked
again. An error of policy is a no.
"""

from typing import NamedTuple

from flyball.governor.commands import Command
from flyball.governor.endpoint import EndpointState
from flyball.governor.flight import Flight
from flyball.governor.request.afford import afford, cost_at, has_budget
from flyball.governor.request.asked import decide, known_subject
from flyball.governor.request.leave import may
from flyball.governor.request.pick import Choice, Wait
from flyball.governor.request.tier import pick_tier
from flyball.governor.state import State
from flyball.model.faults import Refusal
from flyball.model.mandate import Approval
from flyball.model.verdict import Circumstances, Question, Verdict
from flyball.units import Seconds

PLACEMENT = "placement"
# So many pools are asked about for one request, before it is refused.
POOLS_ASKED_MAX = 8


class Permit(NamedTuple):
    """Where it goes: the choice, and the number of the endpoint that is meant by it."""

    choice: Choice
    endpoint: int


def permit(
    state: State, flight: Flight, at: Seconds, choice: Choice, index: int, out: list[Command]
) -> Permit | Wait | Refusal:
    """The choice if it is allowed, the next best that is, or why none is."""
    refusal = Refusal(code="policy_denied")
    for _ in range(POOLS_ASKED_MAX):
        endpoint = state.view.endpoints[index]
        no = against(state, flight, at, endpoint)
        if no is None:
            return afford(state, flight, at, endpoint, out) or Permit(choice, index)
        refusal = no
        why = f"policy: {refusal.detail}"
        flight.scope = flight.scope.without(state.view, endpoint.pool_index, why)
        if not flight.scope.count:
            return refusal
        answer = pick_tier(state, flight, at)
        if not isinstance(answer, Choice):
            return answer if isinstance(answer, Wait) else refusal
        choice, index = answer, where(state, flight, answer)
    return refusal


def where(state: State, flight: Flight, choice: Choice) -> int:
    """The endpoint that a choice stands for: in observe mode the baseline rule says."""
    return baseline(state, flight) if state.policy.mode == "observe" else choice.endpoint


def baseline(state: State, flight: Flight) -> int:
    """Observe mode: what a plain balancer would do among the open endpoints of the scope."""
    usable = [
        e
        for e in state.view.endpoints
        if not flight.scope.reasons[e.index]
        and not state.view.blocked[e.index]
        and e.index not in flight.tried
    ]
    if state.policy.baseline == "round-robin":
        state.rotation += 1
        return usable[state.rotation % len(usable)].index
    return min(usable, key=lambda e: (e.load, e.index)).index


def against(state: State, flight: Flight, at: Seconds, endpoint: EndpointState) -> Refusal | None:
    """Why policy does not let it run there, or None; the verdict stays with the flight."""
    if not state.governed:
        return None
    verdict = flight.verdict = _asked(state, flight, at, endpoint)
    if not verdict.allowed:
        return denied(verdict)
    if _spills(state, flight, endpoint) and not may(
        state, flight, "spill", PLACEMENT, endpoint.pool_index, at
    ):
        detail = f"{flight.klass.name} may not be moved to another site than where it began"
        return Refusal(code="policy_denied", detail=detail)
    return None


def denied(verdict: Verdict) -> Refusal:
    """The refusal that a verdict of no amounts to."""
    if verdict.errors:
        return Refusal(code="policy_error", detail=verdict.errors[0], retry_after_s=5.0)
    named = ", ".join(verdict.policies) or "no policy allows it"
    return Refusal(code="policy_denied", detail=named)


def _asked(state: State, flight: Flight, at: Seconds, endpoint: EndpointState) -> Verdict:
    """Policy's answer; approvals are shown to it only if it says no without them."""
    grant = flight.granted
    model = grant.model if grant is not None and grant.model else flight.head.model
    subject = known_subject(state, flight, model)
    place = state.places[endpoint.pool_index]
    known = _circumstances(state, flight, at, endpoint, ())
    verdict = decide(state, subject, known, place)
    if verdict.allowed:
        flight.asked = Question(subject=subject, circumstances=known, place=place)
        return verdict
    approvals = _approvals(flight, at)
    if not approvals:
        return verdict
    known = _circumstances(state, flight, at, endpoint, approvals)
    verdict = decide(state, subject, known, place)
    if verdict.allowed:
        flight.approvals = approvals
        flight.asked = Question(subject=subject, circumstances=known, place=place)
    return verdict


def _approvals(flight: Flight, at: Seconds) -> tuple[Approval, ...]:
    mandate = flight.head.mandate
    if mandate is None or not mandate.approvals:
        return ()
    return tuple(one for one in mandate.approvals if at < one.expires_at)


def _circumstances(
    state: State,
    flight: Flight,
    at: Seconds,
    endpoint: EndpointState,
    approvals: tuple[Approval, ...],
) -> Circumstances:
    grant, mandate = flight.granted, flight.head.mandate
    spends = mandate.spends if mandate is not None else ()
    return Circumstances(
        at=at,
        cost_micro_usd=cost_at(state, flight, endpoint),
        budget_left_micro_usd=state.purses.left(spends) if spends else 0,
        has_budget=has_budget(flight),
        truncated_tokens=flight.prompt_tokens - grant.tokens_kept if grant is not None else 0,
        retry_depth=max(flight.attempt, flight.head.retry_count),
        hops=len(mandate.delegates) if mandate is not None else 0,
        policy_age_s=max(0.0, at - state.policy_heard_at),
        approvals=approvals,
    )


def _spills(state: State, flight: Flight, endpoint: EndpointState) -> bool:
    """Whether it goes to another site than its last attempt did, or than its session lives at."""
    if flight.tried:
        before = state.view.endpoints[flight.tried[-1]]
    else:
        session = state.sessions.by_key.get(flight.session)
        index = state.view.index_of.get(session.home, -1) if session is not None else -1
        if index < 0:
            return False
        before = state.view.endpoints[index]
    return before.pool.site != endpoint.pool.site
