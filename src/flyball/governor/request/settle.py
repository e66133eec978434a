"""What happened to it: charge, learn, close the record, try a fall-back or let go?

A request leaves here exactly once, with exactly one Outcome record; an attempt that failed before
its first byte may go on at a fall-back while attempts, deadline and retry budget allow.
"""

from msgspec import UNSET
from msgspec.structs import replace

from flyball.governor.commands import Abort, Command, Record, Reject
from flyball.governor.endpoint import EndpointState
from flyball.governor.events import AttemptFailed, FirstByte, Served
from flyball.governor.flight import Flight
from flyball.governor.loops.retry import RETRY
from flyball.governor.request import guard, health, program
from flyball.governor.request.afford import charge, settle_budget
from flyball.governor.request.allow import NO_DECODE
from flyball.governor.request.grant import note_answered
from flyball.governor.request.leave import may
from flyball.governor.state import State
from flyball.model.decision import Outcome, OutcomeKind
from flyball.model.faults import Refusal
from flyball.model.signals import Settled
from flyball.units import Seconds, Usd

# Statuses that say "not now" rather than "broken": they do not open a circuit by themselves.
BUSY_STATUSES = frozenset({429, 503})


def take_work(state: State, flight: Flight, at: Seconds, endpoint: EndpointState) -> None:
    """Count a dispatched attempt at its endpoint: pending prefill, KV to come."""
    prompt = flight.prompt_tokens if flight.granted is None else flight.granted.tokens_kept
    flight.prefill = float(prompt - flight.cached_tokens)
    flight.kv = prompt + 0.5 * flight.output_tokens
    state.retry_gain.attempts += 1.0
    if flight.is_retry or flight.attempt > 1:
        state.retry_gain.retries += 1.0
    flight.depth = endpoint.pending + endpoint.peer_pending + endpoint.foreign_waiting
    endpoint.pending += 1
    endpoint.pending_prefill += flight.prefill
    endpoint.kv += flight.kv
    endpoint.kv_pending += flight.kv
    endpoint.note_prefill(at, flight.prefill)
    flight.endpoint = endpoint
    flight.forwarded_at = at
    flight.first_byte_at = 0.0
    state.view.dirty.add(endpoint.index)


def _drop_rival(
    state: State, flight: Flight, at: Seconds, attempt: int, out: list[Command]
) -> None:
    """One of two copies goes on, the one of that number (0 = the newer): let the other's work go.

    The two share what is on the flight, so the loser is made the flight's own for as long as that
    takes.
    """
    other = flight.rival
    if other is None:
        return
    if attempt != other.attempt:
        flight.turn_to_rival()
    waited_s = at - flight.forwarded_at
    endpoint = _release(state, flight)
    if endpoint is not None and waited_s > flight.ttft_s:
        # It would have taken longer still: else an endpoint that is always overtaken seems fast.
        endpoint.learn_ttft(flight.ttft_s, waited_s, flight.ttft_bias_log)
    if flight.reserved and endpoint is not None:
        charge(state, flight, endpoint, 0, 0)
    place = endpoint.name if endpoint else ""
    out.append(Record(_outcome(flight, at, "cancelled", place, 499)))
    flight.turn_to_rival()
    flight.rival = None


def first_byte(state: State, event: FirstByte, out: list[Command]) -> None:
    """The prefill is done: the attempt now decodes. Streams teach the TTFT prediction."""
    flight = state.flights.get(event.request_id)
    if flight is None or flight.endpoint is None or flight.first_byte_at:
        return
    if flight.rival is not None:
        _drop_rival(state, flight, event.at, event.attempt, out)
    endpoint = flight.endpoint
    flight.first_byte_at = event.at
    endpoint.note_first_byte(event.at)
    endpoint.pending -= 1
    endpoint.pending_prefill -= flight.prefill
    endpoint.kv_pending -= flight.kv
    endpoint.running += 1
    by_class = endpoint.running_by_class
    by_class[flight.class_index] = by_class.get(flight.class_index, 0) + 1
    if flight.guarantee is not None:
        guard.protect(state, flight, event.at)
    if flight.head.stream:
        observed = event.at - flight.forwarded_at
        endpoint.learn_ttft(flight.ttft_s, observed, flight.ttft_bias_log, flight.depth)
    state.view.dirty.add(endpoint.index)


def _release(state: State, flight: Flight) -> EndpointState | None:
    """Take the attempt's work off its endpoint again."""
    endpoint = flight.endpoint
    if endpoint is None:
        return None
    flight.endpoint = None
    if flight.first_byte_at:
        endpoint.running -= 1
        by_class = endpoint.running_by_class
        by_class[flight.class_index] = max(0, by_class.get(flight.class_index, 0) - 1)
    else:
        endpoint.pending -= 1
        endpoint.pending_prefill -= flight.prefill
        endpoint.kv_pending -= flight.kv
    endpoint.kv -= flight.kv
    if flight.guarantee is not None:
        state.promises.end(flight.request_id)
    state.view.dirty.add(endpoint.index)
    return endpoint


def served(state: State, event: Served, out: list[Command]) -> None:
    """A whole answer: learn from it, keep its cache in mind, close."""
    flight = state.flights.get(event.request_id)
    if flight is None:
        return
    if flight.rival is not None:
        _drop_rival(state, flight, event.at, event.attempt, out)
    reads_only = flight.output_tokens <= 1 and not flight.first_byte_at
    if reads_only and flight.endpoint is not None:
        flight.endpoint.note_first_byte(event.at)
    endpoint = _release(state, flight)
    if endpoint is None:
        return
    endpoint.served_at = event.at
    if not flight.first_byte_at:
        # The whole answer came at once: its first byte was its last.
        flight.first_byte_at = event.at
    if event.status < 400:
        _learn(state, flight, endpoint, event)
        state.budget.earn()
        health.succeeded(state, event.at, endpoint, out)
    kind: OutcomeKind = "served" if event.status < 500 else "failed"
    _close(state, flight, event.at, kind, out, endpoint=endpoint, served=event)


def _learn(state: State, flight: Flight, endpoint: EndpointState, event: Served) -> None:
    decode_s = event.at - flight.first_byte_at
    e2e_s = event.at - flight.forwarded_at
    tokens = event.output_tokens
    if decode_s > 0.0 and flight.head.stream:
        if tokens > 4:
            endpoint.learn_tpot(flight.tpot_s, decode_s / (tokens - 1), flight.tpot_bias_log)
    elif tokens > 1:
        predicted = flight.ttft_s + flight.tpot_s * (tokens - 1)
        ratio = e2e_s / max(1e-6, predicted)
        endpoint.learn_ttft(1.0, ratio, flight.ttft_bias_log, flight.depth)
        endpoint.learn_tpot(1.0, ratio, flight.tpot_bias_log)
    else:
        endpoint.learn_ttft(flight.ttft_s, e2e_s, flight.ttft_bias_log, flight.depth)
    if flight.granted is not None:
        note_answered(state, flight)
    elif event.input_tokens:
        state.ratio(flight.head.model).learn(flight.head.prompt_bytes, event.input_tokens)
    _keep_cache(state, flight, endpoint, event)


def _keep_cache(state: State, flight: Flight, endpoint: EndpointState, event: Served) -> None:
    """The session's context now lives here; the engine's own word corrects the index's credit."""
    if event.response_id:
        _remember_response(state, flight, event)
    session = state.sessions.by_key.get(flight.session)
    if session is not None:
        context = (event.input_tokens or flight.prompt_tokens) + event.output_tokens
        before = session.tokens if session.home == endpoint.name else 0
        endpoint.session_tokens = max(0.0, endpoint.session_tokens + context - before)
        session.home, session.tokens = endpoint.name, context
    believed = flight.blocks_believed
    if believed and event.input_tokens:
        share = min(1.0, event.cached_tokens / event.input_tokens)
        told = int(share * len(flight.head.prefix) + 0.5)
        state.prefix_index.credit(endpoint.index, believed, min(told, believed))


def _remember_response(state: State, flight: Flight, event: Served) -> None:
    """The stored answer lives at this endpoint; a call that continues it must come here."""
    name = f"{flight.owner}/{event.response_id}"
    if not flight.session:
        flight.session = name
        state.sessions.touch(name, event.at)
    state.sessions.remember_response(name, flight.session)


def attempt_failed(state: State, event: AttemptFailed, out: list[Command]) -> Flight | None:
    """Close or hand back the flight for another attempt (then it is returned)."""
    flight = state.flights.get(event.request_id)
    if flight is None:
        return None
    rival = flight.rival
    if rival is not None and event.attempt == rival.attempt:
        flight.turn_to_rival()
    endpoint = _release(state, flight)
    if endpoint is None:
        return None
    busy = event.cause == "status" and event.status in BUSY_STATUSES
    health.failed(state, event.at, endpoint, busy, event.retry_after_s, event.cause, out)
    refusal = _failure_refusal(event)
    if event.started:
        out.append(Abort(event.request_id, refusal))
        _close(state, flight, event.at, "truncated-stream", out, endpoint, refusal=refusal)
        return None
    flight.tried = (*flight.tried, endpoint.index)
    flight.failure = event
    state.retry_gain.failures += 1.0
    if rival is not None:
        # The other copy is under way: it goes on alone.
        retried(state, flight, event.at, out)
        flight.failure = None
        flight.turn_to_rival()
        flight.rival = None
        return None
    may_retry = flight.attempt < flight.attempts_max and event.at < flight.deadline_at
    if may_retry and not may(state, flight, "retry", RETRY.name, endpoint.pool_index, event.at):
        may_retry = False
    if may_retry and (flight.guarantee is not None or _may_spend(state)):
        return flight
    out.append(Reject(event.request_id, refusal))
    _close(state, flight, event.at, "failed", out, endpoint, refusal=refusal)
    return None


def _may_spend(state: State) -> bool:
    """Whether the fleet affords one more attempt: by its share of all, and by the bucket."""
    return state.retry_gain.may_retry() and state.budget.spend()


def retried(state: State, flight: Flight, at: Seconds, out: list[Command]) -> None:
    """Close the attempt that failed, as the next one is about to begin."""
    event = flight.failure
    if event is None:
        return
    refusal = _failure_refusal(event)
    place = state.view.endpoints[flight.tried[-1]].name
    outcome = _outcome(flight, event.at, "retried", place, refusal.fault.status, refusal=refusal)
    out.append(Record(outcome))


def _failure_refusal(event: AttemptFailed) -> Refusal:
    if event.cause == "status" and event.status == 429:
        detail = "the engine has too much to do (429)"
        return Refusal(code="no_endpoint", detail=detail, retry_after_s=event.retry_after_s or 1.0)
    code = "upstream_garbage" if event.cause == "garbage" else "upstream_failed"
    detail = event.detail or event.cause
    return Refusal(code=code, detail=detail, retry_after_s=event.retry_after_s or 1.0)


def client_gone(state: State, at: Seconds, request_id: str, out: list[Command]) -> None:
    """Nobody waits for it any more: stop the upstream at once."""
    flight = state.flights.get(request_id)
    if flight is None:
        return
    _drop_rival(state, flight, at, flight.attempt, out)
    endpoint = _release(state, flight)
    out.append(Abort(request_id, None))
    _close(state, flight, at, "client-gone", out, endpoint)


def deadline_passed(state: State, at: Seconds, request_id: str, out: list[Command]) -> None:
    """Out of time, running or held."""
    flight = state.flights.get(request_id)
    if flight is None:
        return
    waited = f"{at - flight.arrived_at:.3f}"
    _drop_rival(state, flight, at, flight.attempt, out)
    endpoint = _release(state, flight)
    refusal = Refusal(code="deadline_exceeded", detail=waited, retry_after_s=1.0)
    if endpoint is None:
        refusal = program.no_room(state, flight) or refusal
        out.append(Reject(request_id, refusal))
    else:
        out.append(Abort(request_id, refusal))
    _close(state, flight, at, "deadline", out, endpoint, refusal=refusal)


def cut(state: State, flight: Flight, at: Seconds, refusal: Refusal, out: list[Command]) -> bool:
    """Authority ends it, running or held; True if it was running."""
    _drop_rival(state, flight, at, flight.attempt, out)
    endpoint = _release(state, flight)
    if endpoint is None:
        refused(state, flight, at, refusal, out)
        return False
    out.append(Abort(flight.request_id, refusal))
    _close(state, flight, at, "cancelled", out, endpoint, refusal=refusal)
    return True


def refused(
    state: State, flight: Flight, at: Seconds, refusal: Refusal, out: list[Command]
) -> None:
    """Never placed: answer early, and write down which rule or price stood in the way."""
    out.append(Reject(flight.request_id, refusal))
    _close(state, flight, at, "refused", out, None, refusal=refusal)


def _in_time(flight: Flight, at: Seconds, output_tokens: int) -> bool:
    """Whether every promise of the class was kept, as far as it can be seen from here.

    Without a stream the first token is not seen: then the whole answer is held against the time
    that first token and the others were promised in.
    """
    promise = flight.klass.promise
    ttft = flight.head.ttft_s_max or promise.ttft_s
    tpot = flight.head.tpot_s_max or promise.tpot_s
    elapsed = at - flight.arrived_at
    if flight.e2e_s and elapsed > flight.e2e_s:
        return False
    others = max(0, output_tokens - 1)
    if not flight.head.stream:
        return not (ttft and tpot) or elapsed <= ttft + tpot * others
    if ttft and flight.first_byte_at - flight.arrived_at > ttft:
        return False
    return not (tpot and others) or (at - flight.first_byte_at) / others <= tpot


def _close(
    state: State,
    flight: Flight,
    at: Seconds,
    kind: OutcomeKind,
    out: list[Command],
    endpoint: EndpointState | None,
    served: Served | None = None,
    refusal: Refusal | None = None,
) -> None:
    """Write the one outcome, tell the estimators, forget the flight."""
    state.flights.pop(flight.request_id, None)
    if flight.party is not None:
        _pay(state, flight, at, kind, endpoint, served)
    status = served.status if served else (refusal.fault.status if refusal else 499)
    good = kind == "served" and status < 400
    output_tokens = served.output_tokens if served else 0
    if kind == "cancelled":
        output_tokens = _sent(flight, at)
    in_time = good and _in_time(flight, at, output_tokens or flight.output_tokens)
    if state.programs.by_class and kind != "client-gone":
        state.programs.note_ended(in_time)
    if flight.program is not None:
        program.closed(state, flight, at, good, served.input_tokens if served else 0, output_tokens)
    if not good and flight.head.body_digest:
        owner = flight.session or flight.owner
        state.sessions.mark_unanswered(owner, flight.head.body_digest)
    place = endpoint.name if endpoint else ""
    outcome = _outcome(flight, at, kind, place, status, served, refusal, in_time, output_tokens)
    if kind == "refused" and flight.scope.name:
        generation = state.view.health_generation
        outcome = replace(outcome, feasibility=flight.scope.feasibility_id(generation))
    out.append(Record(outcome))
    state.note_settled(_settled(flight, outcome, endpoint))


def _pay(
    state: State,
    flight: Flight,
    at: Seconds,
    kind: OutcomeKind,
    endpoint: EndpointState | None,
    served: Served | None,
) -> None:
    """Settle the budgets of its mandate; what failed before its first byte costs nothing."""
    if flight.party is not None:
        flight.party.flights.discard(flight.request_id)
    if not flight.reserved:
        return
    if served is not None:
        if endpoint is not None and served.status < 400:
            answer = served.output_tokens or _untold(flight, at)
            charge(state, flight, endpoint, served.input_tokens, answer)
    elif endpoint is not None and (flight.first_byte_at or kind != "failed"):
        charge(state, flight, endpoint, 0, _sent(flight, at))
    settle_budget(state, flight)


def _untold(flight: Flight, at: Seconds) -> int:
    """Tokens of a whole answer whose engine told none: a budget must not be spent unseen."""
    if flight.head.operation in NO_DECODE:
        return 0
    return _sent(flight, at) if flight.head.stream else flight.output_tokens_max


def _sent(flight: Flight, at: Seconds) -> int:
    """Tokens of an answer cut off now, estimated from the time it ran: streams are not read."""
    if not flight.first_byte_at:
        return 0
    tokens = 1 + int((at - flight.first_byte_at) / max(1e-4, flight.tpot_s))
    return min(tokens, flight.output_tokens_max) if flight.output_tokens_max else tokens


def _outcome(
    flight: Flight,
    at: Seconds,
    kind: OutcomeKind,
    place: str,
    status: int,
    served: Served | None = None,
    refusal: Refusal | None = None,
    in_time: bool = False,
    output_tokens: int = 0,
) -> Outcome:
    return Outcome(
        id=flight.request_id,
        at=at,
        outcome=kind,
        endpoint=place,
        attempts=flight.attempt,
        status=status,
        code=refusal.code if refusal else "",
        reason=refusal.message if refusal else "",
        input_tokens=served.input_tokens if served else 0,
        cached_tokens=served.cached_tokens if served else 0,
        output_tokens=output_tokens,
        ttft_s=flight.first_byte_at - flight.arrived_at if flight.first_byte_at else 0.0,
        e2e_s=at - flight.arrived_at,
        in_time=in_time,
        cost_usd=flight.cost_usd,
        principal=flight.principal.name,
        class_name=flight.klass.name,
        model=flight.head.model,
        price_usd=refusal.price_usd if refusal else flight.cost_usd,
        retry_after_s=refusal.retry_after_s if refusal else 0.0,
        lineage=flight.lineage,
        quote=flight.guarantee.quote.id if flight.guarantee else "",
        promised_s=flight.guarantee.quote.deadline_s if flight.guarantee else 0.0,
        penalty_usd=_penalty(flight, at, kind, refusal),
        spent_micro_usd=flight.spent or UNSET,
    )


def _penalty(flight: Flight, at: Seconds, kind: OutcomeKind, refusal: Refusal | None) -> Usd:
    """What a broken guarantee costs; nothing while an attempt goes on elsewhere, or if it was the
    client that left or may not go on."""
    guarantee = flight.guarantee
    if guarantee is None or kind in ("client-gone", "retried"):
        return 0.0
    if refusal is not None and refusal.fault.party in ("caller", "policy"):
        return 0.0
    is_kept = kind == "served" and at - flight.arrived_at <= guarantee.quote.deadline_s
    return 0.0 if is_kept else guarantee.quote.penalty_usd


def _settled(flight: Flight, outcome: Outcome, endpoint: EndpointState | None) -> Settled:
    grant, copy = flight.granted, ""
    if flight.copy_attempt:
        copy = "won" if flight.attempt == flight.copy_attempt else "lost"
    return Settled(
        tokens_cut=flight.prompt_tokens - grant.tokens_kept if grant else 0,
        served_model=grant.model if grant else "",
        copy=copy,
        at=outcome.at,
        class_name=outcome.class_name,
        model=outcome.model,
        endpoint=endpoint.index if endpoint else -1,
        outcome=outcome.outcome,
        is_retry=flight.is_retry,
        prompt_bytes=flight.head.prompt_bytes,
        input_tokens=outcome.input_tokens,
        cached_tokens=outcome.cached_tokens,
        output_tokens=outcome.output_tokens,
        ttft_s=outcome.ttft_s,
        e2e_s=outcome.e2e_s,
        ttft_s_predicted=flight.ttft_s,
        tpot_s_predicted=flight.tpot_s,
        in_time=outcome.in_time,
        code=outcome.code,
        attempts=outcome.attempts,
        value_usd=flight.klass.value_usd if flight.program else flight.value_usd,
        cost_usd=flight.cost_usd,
        jurisdiction=endpoint.jurisdiction if endpoint else "",
        session_step=flight.session_step,
        is_spared=flight.advice.startswith("refuse: "),
        guaranteed=flight.guarantee is not None,
        penalty_usd=outcome.penalty_usd,
        status=outcome.status,
    )
