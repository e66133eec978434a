"""Where may it run: which endpoints do policy, residency, model and health leave?"""

from flyball.governor.commands import Command, Record
from flyball.governor.flight import Flight
from flyball.governor.scope import Scope, build_scope, residency
from flyball.governor.state import SCOPES_MAX, State
from flyball.model.faults import Refusal
from flyball.units import Seconds


def authorize(state: State, flight: Flight, at: Seconds, out: list[Command]) -> Refusal | None:
    """Set the flight's scope; write its feasibility down when it is new; refuse if it is empty."""
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
    head = flight.head
    principal, klass = flight.principal.name, flight.klass.name
    key = (principal, klass, model, head.operation, head.jurisdiction_hint)
    scope = state.scopes.get(key)
    if scope is None and model in state.models:
        scope = _make_scope(state, flight, key)
    return scope


def _make_scope(state: State, flight: Flight, key: tuple[str, ...]) -> Scope:
    if len(state.scopes) >= SCOPES_MAX:
        # Hints are client-given, so the table is bounded: start over rather than grow.
        state.scopes.clear()
    head = flight.head
    scope = build_scope(
        state.record_id("scope"),
        state.view,
        state.policy,
        flight.principal,
        flight.klass,
        key[2],
        head.operation,
        head.jurisdiction_hint,
    )
    state.scopes[key] = scope
    return scope


def _why_nowhere(flight: Flight, scope: Scope) -> Refusal:
    """The rule that stood in the way last: residency is policy, all else is missing capacity."""
    if any(why.startswith("residency") for why in scope.reasons):
        allowed = residency(flight.principal, flight.klass, flight.head.jurisdiction_hint)
        listed = ", ".join(sorted(allowed or ())) or "none"
        return Refusal(code="jurisdiction_refused", detail=f"allowed: {listed}")
    detail = f"no pool serves {flight.head.model!r} for {flight.head.operation!r} calls"
    return Refusal(code="no_endpoint", detail=detail, retry_after_s=5.0, should_retry=False)
