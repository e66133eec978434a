"""How much may it use: context, answer tokens, attempts, time; may it start at all?"""

from flyball.governor.flight import Flight
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
    limit = min(head.deadline_s, klass.deadline_s) if head.deadline_s else klass.deadline_s
    flight.deadline_at = at + limit
    flight.attempts_max = policy.resilience.attempts_max
    return None
