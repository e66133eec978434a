"""What can be guaranteed, at which price; and does a request come under a guarantee?

`ask` answers a client's question and holds the room it promised. `present` recognises a request
that names a quote, `cover` checks its size and takes it over. A quote is good for one request.
"""

from math import inf

from flyball.governor.commands import Command, QuoteClosed, Quoted
from flyball.governor.endpoint import EndpointState
from flyball.governor.events import QuoteAsked, QuoteTaken
from flyball.governor.flight import Flight
from flyball.governor.promises import Guarantee
from flyball.governor.request.allow import NO_DECODE, allow
from flyball.governor.request.authorize import authorize
from flyball.governor.request.guard import bound_s, breaks, quantile
from flyball.governor.request.identify import identify_caller
from flyball.governor.request.price import price_candidates
from flyball.governor.state import HARM, RESOURCE, TPOT, TTFT, State
from flyball.model.faults import Refusal
from flyball.model.quote import Quote
from flyball.units import Ratio, Seconds, Tokens, Usd

# A deadline that the client leaves open: this much above what can just be kept, so that a
# guarantee does not close its endpoint to everybody else.
EASE: Ratio = 1.25
# Bytes per token are an estimate: a prompt this much longer than quoted is still covered.
SIZE_TOLERANCE: Ratio = 1.1


class Room:
    """Where a guarantee could be kept, by when, at which price of resources and harm."""

    __slots__ = ("bound_s", "endpoint", "price_usd")

    def __init__(self, endpoint: EndpointState, bound: Seconds, price_usd: Usd) -> None:
        self.endpoint = endpoint
        self.bound_s = bound
        self.price_usd = price_usd


def ask(state: State, event: QuoteAsked, out: list[Command]) -> None:
    """Quote a price and a deadline, and hold the room; or say why not and what would change it."""
    flight = Flight(event.quote_id, event.at, event.head, 0.0)
    expire(state, event.at, out)
    refusal = (
        identify_caller(state, flight, event.at)
        or authorize(state, flight, event.at, out)
        or allow(state, flight, event.at)
        or _within_bounds(state, flight)
    )
    if refusal is not None:
        out.append(Quoted(event.quote_id, None, refusal))
        return
    flight.prompt_tokens = max(1, event.input_tokens)
    flight.output_tokens = max(1, event.head.output_tokens_max)
    z = quantile(state.policy.promises.risk)
    room, soonest_s = _find_room(state, flight, event.at, z)
    if room is None:
        refusal = _why_no_room(state, flight, event.at, soonest_s)
        out.append(Quoted(event.quote_id, None, refusal, 0.0 if soonest_s == inf else soonest_s))
        return
    quote = _quote(state, flight, event.at, room)
    state.promises.add(Guarantee(quote, z), room.endpoint)
    state.view.dirty.add(room.endpoint.index)
    out.append(Quoted(event.quote_id, quote))


def take(state: State, event: QuoteTaken, out: list[Command]) -> None:
    """Another worker's quote comes here, or one of ours went there."""
    if event.quote is None:
        guarantee = state.promises.open.get(event.quote_id)
        if guarantee is not None:
            _close(state, guarantee)
        return
    quote = event.quote
    if quote.id in state.promises.open or quote.expires_at <= event.at:
        return
    index = state.view.index_of.get(quote.endpoint, -1)
    endpoint = state.view.endpoints[index] if index >= 0 else None
    state.promises.add(Guarantee(quote, quantile(quote.risk)), endpoint)
    if endpoint is not None:
        state.view.dirty.add(index)


def present(state: State, flight: Flight, at: Seconds) -> Refusal | None:
    """Find the quote that the request names; its class counts where the request names none."""
    head = flight.head
    guarantee = state.promises.open.get(head.quote)
    # Another's quote is answered like one that does not exist.
    if guarantee is None or guarantee.quote.principal != flight.owner:
        return Refusal(code="quote_unknown", detail=f"{head.quote!r} is not open, or is not yours")
    quote = guarantee.quote
    if quote.expires_at <= at:
        return Refusal(code="quote_unknown", detail=f"{head.quote!r} has expired")
    if head.class_hint and head.class_hint != quote.class_name:
        return _mismatch(f"it is for the class {quote.class_name!r}")
    if head.model != quote.model or head.operation != quote.operation:
        return _mismatch(f"it is for {quote.operation!r} calls of {quote.model!r}")
    index = state.class_index.get(quote.class_name)
    if index is None:
        return Refusal(code="quote_unknown", detail=f"its class {quote.class_name!r} is gone")
    flight.class_index = index
    flight.klass = state.policy.classes[index]
    return None


def cover(state: State, flight: Flight, out: list[Command]) -> Refusal | None:
    """Check the sizes, then take the quote over: from here on it is this request's, and its room
    is free for it."""
    guarantee = state.promises.open[flight.head.quote]
    quote = guarantee.quote
    if flight.prompt_tokens > SIZE_TOLERANCE * quote.input_tokens + 1.0:
        return _mismatch(f"about {flight.prompt_tokens} prompt tokens, {quote.input_tokens} quoted")
    asked: Tokens = flight.output_tokens_max
    if quote.operation not in NO_DECODE and not 0 < asked <= quote.output_tokens:
        return _mismatch(f"send max_tokens of at most {quote.output_tokens}")
    _close(state, guarantee)
    out.append(QuoteClosed(quote.id))
    flight.guarantee = guarantee
    flight.z = guarantee.z
    flight.e2e_s = quote.deadline_s
    flight.deadline_s = 0.0
    flight.deadline_at = max(flight.deadline_at, flight.arrived_at + quote.deadline_s)
    flight.value_usd = flight.klass.value_usd + quote.penalty_usd
    return None


def expire(state: State, at: Seconds, out: list[Command]) -> None:
    """Quotes whose time is up hold no room any more."""
    gone = [one for one in state.promises.open.values() if one.quote.expires_at <= at]
    for guarantee in gone:
        _close(state, guarantee)
        out.append(QuoteClosed(guarantee.quote.id))


def move(state: State, at: Seconds) -> None:
    """Room held at an endpoint that may not be used now is held at the next best one."""
    for guarantee in list(state.promises.open.values()):
        endpoint = guarantee.endpoint
        if endpoint is not None and not state.view.blocked[endpoint.index]:
            continue
        if endpoint is not None:
            state.promises.free(guarantee)
            state.view.dirty.add(endpoint.index)
        room = _room_for(state, guarantee, at)
        if room is not None:
            state.promises.hold(guarantee, room)
            state.view.dirty.add(room.index)


def _room_for(state: State, guarantee: Guarantee, at: Seconds) -> EndpointState | None:
    """The endpoint with the soonest first token, of those where the quoted class may run now."""
    kind = guarantee.quote
    number = state.class_index.get(kind.class_name)
    allowed = state.policy.classes[number].jurisdictions if number is not None else ()
    rows = state.view.fresh_rows(at)
    best: EndpointState | None = None
    for e in state.view.endpoints:
        if state.view.blocked[e.index] or kind.model not in e.pool.models:
            continue
        if allowed and e.jurisdiction not in allowed:
            continue
        if best is None or rows[0, e.index] < rows[0, best.index]:
            best = e
    return best


def _close(state: State, guarantee: Guarantee) -> None:
    endpoint = guarantee.endpoint
    state.promises.close(guarantee.quote.id)
    if endpoint is not None:
        state.view.dirty.add(endpoint.index)


def _within_bounds(state: State, flight: Flight) -> Refusal | None:
    limits, book = state.policy.promises, state.promises
    if state.policy.mode == "observe":
        detail = "this gateway only observes, so it can guarantee nothing"
        return Refusal(code="capacity_promised", detail=detail, should_retry=False)
    if len(book.open) >= limits.quotes_max:
        detail = f"{len(book.open)} quotes are open"
    elif book.by_principal.get(flight.owner, 0) >= limits.quotes_per_principal_max:
        detail = f"{flight.principal.name} has {limits.quotes_per_principal_max} open quotes"
    else:
        return None
    return Refusal(code="capacity_promised", detail=detail, retry_after_s=limits.quote_s)


def _find_room(state: State, flight: Flight, at: Seconds, z: float) -> tuple[Room | None, Seconds]:
    """The cheapest endpoint where a guarantee can be kept without breaking another, and the
    soonest deadline that any could keep (infinite if none can)."""
    state.view.audit_trust(at)
    matrix = price_candidates(state, flight, at)
    soonest = inf
    if state.view.untrusted:
        return None, soonest
    limits = state.promises.limits
    room: Room | None = None
    order: list[int] = state.total.argsort().tolist()
    for index in order:
        if state.total[index] == inf:
            break
        endpoint = state.view.endpoints[index]
        if _is_full(state, endpoint) or (index in limits and breaks(state, flight, matrix, index)):
            continue
        ttft_s, tpot_s = float(matrix[TTFT, index]), float(matrix[TPOT, index])
        bound = bound_s(endpoint, ttft_s, tpot_s, flight.output_tokens, z)
        soonest = min(soonest, bound)
        if room is None and not 0.0 < flight.deadline_s < bound:
            room = Room(endpoint, bound, float(matrix[HARM, index] + matrix[RESOURCE, index]))
    return room, soonest


def _is_full(state: State, endpoint: EndpointState) -> bool:
    most = state.policy.promises.reserve_ratio_max * endpoint.seqs_max
    promised = state.promises.count_at(endpoint.index) + endpoint.peer_reserved
    return promised + 1 > max(1.0, most)


def _why_no_room(state: State, flight: Flight, at: Seconds, soonest_s: Seconds) -> Refusal:
    untrusted = state.view.untrusted
    if untrusted:
        detail = f"the view of the fleet is {untrusted}, so nothing can be guaranteed"
        return Refusal(code="deadline_unreachable", detail=detail, retry_after_s=1.0)
    if soonest_s < inf:
        detail = (
            f"a whole answer within {flight.deadline_s:.3f} s is asked, {soonest_s:.3f} s could be "
            "guaranteed now"
        )
        wait_s = max(0.05, soonest_s - flight.deadline_s)
        return Refusal(code="deadline_unreachable", detail=detail, retry_after_s=wait_s)
    ends = [one.quote.expires_at for one in state.promises.open.values()]
    wait_s = max(0.05, min(ends) - at) if ends else 1.0
    detail = f"{len(ends)} quotes are open, {len(state.promises.kept)} guaranteed requests run"
    return Refusal(code="capacity_promised", detail=detail, retry_after_s=wait_s)


def _quote(state: State, flight: Flight, at: Seconds, room: Room) -> Quote:
    limits, klass, promise = state.policy.promises, flight.klass, flight.klass.promise
    deadline_s = flight.deadline_s
    if not deadline_s:
        others = flight.output_tokens - 1
        usual_s = promise.e2e_s or (promise.ttft_s + promise.tpot_s * others)
        deadline_s = max(EASE * room.bound_s, usual_s)
    penalty_usd = klass.penalty_usd or klass.value_usd
    return Quote(
        id=flight.request_id,
        principal=flight.owner,
        class_name=klass.name,
        model=flight.head.model,
        operation=flight.head.operation,
        input_tokens=flight.prompt_tokens,
        output_tokens=flight.output_tokens,
        deadline_s=deadline_s,
        made_at=at,
        expires_at=at + limits.quote_s,
        endpoint=room.endpoint.name,
        price_usd=room.price_usd + limits.risk * penalty_usd,
        penalty_usd=penalty_usd,
        risk=limits.risk,
    )


def _mismatch(detail: str) -> Refusal:
    return Refusal(code="quote_mismatch", detail=detail)
