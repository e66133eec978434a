"""Who is asking: which principal, class, session and attempt is this?"""

from flyball.governor.flight import ANYONE, Flight
from flyball.governor.request.grant import note_repeat
from flyball.governor.request.mandated import covers
from flyball.governor.state import State
from flyball.model.faults import Refusal
from flyball.model.request import Principal
from flyball.units import Seconds

CONTINUES = "previous_response_id"


def identify(state: State, flight: Flight, at: Seconds) -> Refusal | None:
    """Fill in principal, class, session and lineage; a refusal if the caller may not be served."""
    refusal = identify_caller(state, flight, at)
    if refusal:
        return refusal
    _set_session(state, flight, at)
    _set_lineage(state, flight, at)
    return None


def identify_caller(state: State, flight: Flight, at: Seconds) -> Refusal | None:
    """Fill in principal and class; a refusal if that caller may not use that class or model."""
    head = flight.head
    if head.mandate is not None:
        party = flight.party = state.mandates.party(head.mandate)
        flight.principal, flight.owner = party.principal, party.owner
        return _set_class(state, flight) or covers(state, flight, party, at)
    principal = _principal(state, head.key_sha256)
    if isinstance(principal, Refusal):
        return principal
    flight.principal, flight.owner = principal, principal.name
    refusal = _set_class(state, flight)
    if refusal:
        return refusal
    if principal.models and head.model not in principal.models:
        detail = f"{principal.name} may not use the model {head.model!r}"
        return Refusal(code="model_not_allowed", detail=detail)
    return None


def _principal(state: State, key_sha256: str) -> Principal | Refusal:
    if not state.principals and not state.policy.authority.requires_mandate:
        return ANYONE
    if not key_sha256:
        return Refusal(code="missing_api_key")
    return state.principals.get(key_sha256) or Refusal(code="invalid_api_key")


def _set_class(state: State, flight: Flight) -> Refusal | None:
    principal = flight.principal
    hint = flight.head.class_hint
    name = hint or principal.default_class
    if name:
        index = state.class_index.get(name)
        if index is None:
            return Refusal(code="unknown_class", detail=repr(name))
        if flight.party is None and principal.classes and name not in principal.classes:
            detail = f"{principal.name} may not use the class {name!r}"
            return Refusal(code="class_not_allowed", detail=detail)
    else:
        index = state.class_index.get(principal.classes[0], 0) if principal.classes else 0
    flight.class_index = index
    flight.klass = state.policy.classes[index]
    flight.value_usd = flight.klass.value_usd
    return None


def _set_session(state: State, flight: Flight, at: Seconds) -> None:
    """The client's own name for it if it sent one, else the longest prompt this one continues."""
    head, sessions = flight.head, state.sessions
    if head.session_hint:
        key = f"{flight.owner}/{head.session_hint}"
        flight.session_source = head.session_source
        if head.session_source == CONTINUES:
            key = sessions.by_response.get(key, key)
    elif len(head.prefix) > 1:
        key = sessions.find_by_prefix(head.prefix)
        flight.session_source = "prefix" if key else "new-prefix"
        key = key or f"{flight.owner}/{flight.request_id}"
        sessions.remember_prefix(head.prefix, key)
    else:
        return
    flight.session = key
    sessions.touch(key, at)


def _set_lineage(state: State, flight: Flight, at: Seconds) -> None:
    """Recognise a retry; only fresh work counts as demand."""
    head = flight.head
    owner = flight.session or flight.owner
    if head.body_digest:
        if flight.klass.name in state.context_loops:
            note_repeat(state, flight, owner)
        prompt, repeated = state.sessions.prompt(owner, head.body_digest, flight.request_id)
        if repeated:
            flight.lineage = prompt.lineage
            flight.is_retry = True
    if head.retry_count:
        flight.is_retry = True
    state.retry_gain.arrivals += 1.0
    if flight.is_retry:
        state.retry_gain.arrivals_again += 1.0
    else:
        state.tallies[flight.klass.name].arrive(at)
