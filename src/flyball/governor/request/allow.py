"""How much may it use: context, answer tokens, attempts, time; may it start at all?"""

from flyball.governor.flight import Flight
from flyball.governor.request.guard import quantile
from flyball.governor.state import State
from flyball.model.faults import Refusal
from flyball.units import Seconds

NO_DECODE = frozenset({"embedding", "infer"})


def allow(state: State, flight: Flight, at: Seconds) -> Refusal | None:
    """Set the allowance; refuse what must not start (draining, no ledger, a bound reached)."""
    policy = state.policy
    if state.draining:
        return Refusal(code="draining", retry_after_s=1.0)
    if state.ledger_detail and policy.refuse_without_ledger:
        return Refusal(code="ledger_unavailable", detail=state.ledger_detail, retry_after_s=5.0)
    if len(state.flights) >= policy.resilience.in_flight_max:
        detail = f"{len(state.flights)} requests in flight"
        return Refusal(code="overloaded", detail=detail, retry_after_s=1.0)
    head, klass = flight.head, flight.klass
    ratio = state.ratios.get(head.model) or state.ratio(head.model)
    flight.prompt_tokens = int(head.prompt_bytes / ratio.bytes_per_token) + 1
    expected = 1.0 if head.operation in NO_DECODE else state.tallies[klass.name].output_tokens
    asked = head.output_tokens_max
    flight.output_tokens = int(min(expected, asked) if asked else expected) or 1
    flight.output_tokens_max = asked
    flight.attempts_max = policy.resilience.attempts_max
    deadline_s, promised_s = head.deadline_s, klass.promise.e2e_s
    if klass.realtime or klass.client_rtt_s or head.client_rtt_s or head.sent_at:
        return _end_to_end(flight, at)
    flight.deadline_s = deadline_s
    flight.e2e_s = (
        min(deadline_s, promised_s) if deadline_s and promised_s else (deadline_s or promised_s)
    )
    limit = min(deadline_s, klass.deadline_s) if deadline_s else klass.deadline_s
    flight.deadline_at = at + limit
    return None


def _end_to_end(flight: Flight, at: Seconds) -> Refusal | None:
    """Times that count from the client's own sending to its own receiving: take its network off.

    The way back is taken to be as long as the way here.
    """
    head, klass = flight.head, flight.klass
    away_s = head.client_rtt_s or klass.client_rtt_s
    if head.sent_at:
        away_s = max(away_s, 2.0 * (at - head.sent_at))
    wanted_s = head.deadline_s
    if klass.realtime and (not wanted_s or klass.deadline_s < wanted_s):
        wanted_s = klass.deadline_s
    if wanted_s and wanted_s <= away_s:
        detail = f"the client's network takes {away_s:.4f} s of the {wanted_s:.4f} s it may last"
        return Refusal(code="deadline_unreachable", detail=detail, should_retry=False)
    flight.deadline_s = wanted_s - away_s if wanted_s else 0.0
    promised_s = max(1e-6, klass.promise.e2e_s - away_s) if klass.promise.e2e_s else 0.0
    both = flight.deadline_s and promised_s
    flight.e2e_s = min(flight.deadline_s, promised_s) if both else flight.deadline_s or promised_s
    flight.deadline_at = at + min(klass.deadline_s, flight.deadline_s or klass.deadline_s)
    if klass.realtime:
        flight.z = quantile(1.0 - klass.objective)
    return None
