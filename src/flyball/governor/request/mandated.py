"""Does the mandate that came with a request cover it, here and now?

The token was verified before; here its facts meet the request and what is known at this moment.
"""

from flyball.governor.flight import Flight
from flyball.governor.mandates import Party
from flyball.governor.state import State
from flyball.model.faults import Refusal
from flyball.model.mandate import Mandate
from flyball.units import Seconds


def covers(state: State, flight: Flight, party: Party, at: Seconds) -> Refusal | None:
    """None, or which of its limits stands in the way. Its jurisdictions bound the scope later."""
    mandate = flight.head.mandate
    if mandate is None:
        return None
    return (
        _not_now(state, mandate, at)
        or _void(state, flight, party, at)
        or _narrower(flight, mandate)
        or _unbound(state, flight, mandate)
        or _other_policy(state, mandate)
    )


def _not_now(state: State, mandate: Mandate, at: Seconds) -> Refusal | None:
    skew_s = state.mandates.rules.skew_s
    if at >= mandate.expires_at + skew_s:
        detail = f"it ended {at - mandate.expires_at:.0f} s ago"
    elif at < mandate.not_before - skew_s:
        detail = f"it begins in {mandate.not_before - at:.0f} s"
    else:
        return None
    return Refusal(code="mandate_expired", detail=detail)


def _void(state: State, flight: Flight, party: Party, at: Seconds) -> Refusal | None:
    book = state.mandates
    why = book.why_void(party)
    if why:
        return Refusal(code="mandate_revoked", detail=why)
    if book.rules.feeds:
        why = book.why_stale(flight.klass.data_class, at)
        if why:
            return Refusal(code="revocation_stale", detail=why, retry_after_s=1.0)
    return None


def _narrower(flight: Flight, mandate: Mandate) -> Refusal | None:
    head, klass = flight.head, flight.klass
    for what, asked, allowed in (
        ("operation", head.operation, mandate.operations),
        ("model", head.model, mandate.models),
        ("class", klass.name, mandate.classes),
        ("data class", klass.data_class, mandate.data_classes),
    ):
        if allowed and asked not in allowed:
            listed = ", ".join(allowed[:8])
            detail = f"the {what} {asked!r} is not among {listed}"
            return Refusal(code="mandate_narrower", detail=detail)
    if mandate.depth_left < 0:
        detail = f"it was delegated {-mandate.depth_left} times more often than it may be"
        return Refusal(code="mandate_narrower", detail=detail)
    return None


def _unbound(state: State, flight: Flight, mandate: Mandate) -> Refusal | None:
    if mandate.is_held:
        return None
    if mandate.holder:
        detail = f"it names the key {mandate.holder[:16]}"
    elif flight.klass.data_class in state.mandates.rules.bound_data_classes:
        detail = f"{flight.klass.data_class} data ask for it"
    else:
        return None
    return Refusal(code="holder_not_shown", detail=detail)


def _other_policy(state: State, mandate: Mandate) -> Refusal | None:
    digest = mandate.policy_digest
    if not digest or digest in state.authority.digests:
        return None
    return Refusal(code="policy_digest_differs", detail=f"{digest[:23]} is not in force here")
