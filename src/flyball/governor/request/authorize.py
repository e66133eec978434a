"""Where may it run: which endpoints do policy, people, residency, model and health leave?"""

from flyball.governor.commands import Command, Record
from flyball.governor.flight import Flight
from flyball.governor.request.asked import FAILED, mask, subject_of
from flyball.governor.scope import Scope, build_scope, residency
from flyball.governor.state import ALIASES_MAX, SCOPES_MAX, State
from flyball.model.faults import Refusal
from flyball.units import Seconds


def authorize(state: State, flight: Flight, at: Seconds, out: list[Command]) -> Refusal | None:
    """Set the flight's scope; write its feasibility down when it is new; refuse if it is empty, or
    a person has stopped such requests."""
    if state.stops:
        why = state.stops.against(flight)
        if why:
            return Refusal(code="stopped", detail=why)
    scope = scope_of(state, flight, flight.head.model)
    if scope is None:
        return Refusal(code="model_not_found", detail=repr(flight.head.model))
    flight.scope = scope
    note_feasibility(state, scope, at, out)
    if scope.count == 0:
        return _why_nowhere(flight, scope)
    return None


def note_feasibility(state: State, scope: Scope, at: Seconds, out: list[Command]) -> None:
    """Write down who may be used, if health changed since it was last written."""
    generation = state.view.health_generation
    if scope.recorded_generation != generation:
        scope.recorded_generation = generation
        out.append(Record(scope.feasibility(at, state.view)))


def scope_of(state: State, flight: Flight, model: str) -> Scope | None:
    """Where this request may run if `model` answers it; None if no pool serves that."""
    head, party = flight.head, flight.party
    if party is None:
        whose = flight.principal.name
    else:
        whose = party.who if state.governed else party.kind
    key = (whose, flight.klass.name, model, head.operation, head.jurisdiction_hint)
    scope = state.scopes.get(key)
    if scope is None and model in state.models:
        scope = _make_scope(state, flight, key)
    return scope


def _make_scope(state: State, flight: Flight, key: tuple[str, ...]) -> Scope:
    """The scope of all requests of whom policy says the same, or a new one."""
    masks = _masks(state, flight, key[2])
    party = flight.party
    shared = (key[0] if party is None else party.kind, *key[1:], "masks", *masks)
    scope = state.scopes_made.get(shared)
    if scope is None:
        if len(state.scopes_made) >= SCOPES_MAX:
            # Hints are client-given, so the table is bounded: start over rather than grow.
            state.scopes_made.clear()
            state.scopes.clear()
        scope = state.scopes_made[shared] = build_scope(
            state.record_id("scope"),
            state.view,
            state.policy,
            flight.principal,
            flight.klass,
            key[2],
            flight.head.operation,
            flight.head.jurisdiction_hint,
            masks,
        )
    if len(state.scopes) >= ALIASES_MAX:
        state.scopes.clear()
    state.scopes[key] = scope
    return scope


def _masks(state: State, flight: Flight, model: str) -> tuple[str, ...]:
    """By pool, what a stop of its site or policy has against it; () = nothing is masked at all."""
    if not (state.governed or state.stops):
        return ()
    rules = mask(state, subject_of(flight, model)) if state.governed else ("",) * len(state.places)
    return tuple(
        [
            f"stop: {stop}" if (stop := state.stops.at_site(place.site)) else rule
            for place, rule in zip(state.places, rules, strict=True)
        ]
    )


def _why_nowhere(flight: Flight, scope: Scope) -> Refusal:
    """The rule that stood in the way last: a person, policy, residency; else missing capacity."""
    for start, code in (("stop: ", "stopped"), ("policy: ", "policy_denied")):
        why = next((why for why in scope.reasons if why.startswith(start)), "")
        if why:
            is_error = why.startswith(FAILED)
            detail = why.removeprefix(start)
            return Refusal(code="policy_error" if is_error else code, detail=detail)
    if any(why.startswith("residency") for why in scope.reasons):
        allowed = residency(flight.principal, flight.klass, flight.head.jurisdiction_hint)
        listed = ", ".join(sorted(allowed or ())) or "none"
        return Refusal(code="jurisdiction_refused", detail=f"allowed: {listed}")
    detail = f"no pool serves {flight.head.model!r} for {flight.head.operation!r} calls"
    return Refusal(code="no_endpoint", detail=detail, retry_after_s=5.0, should_retry=False)
