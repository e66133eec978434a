"""What is written down of a rival's decisions, so that the same checks can judge it?

As the governor: one intent before each attempt, one outcome after it. A rival prices nothing, so
all prices are 0 and the only candidate is the endpoint chosen.
"""

from flyball.governor.events import Served
from flyball.model.decision import Candidate, Intent, Outcome, OutcomeKind
from flyball.model.faults import Refusal
from flyball.sim.rivals.router import Ask, EndpointView
from flyball.units import Seconds

_PRINCIPAL = "anonymous"


def intent(at: Seconds, ask: Ask, endpoint: EndpointView, candidates: int) -> Intent:
    """Where this attempt goes; `candidates` = how many endpoints it could have gone to."""
    head = ask.head
    chosen = Candidate(endpoint.name, 0.0, 0.0, ask.cached_tokens, 0.0, 0.0, 0.0, 0.0, 1.0)
    return Intent(
        id=ask.request_id,
        at=at,
        principal=_PRINCIPAL,
        class_name=ask.klass.name,
        session=head.session_hint,
        session_source=head.session_source,
        model=head.model,
        operation=head.operation,
        attempt=ask.attempt,
        lineage=ask.request_id,
        is_retry=head.retry_count > 0 or ask.attempt > 1,
        tokens_offered=ask.tokens_offered,
        tokens_kept=ask.prompt_tokens,
        output_tokens_max=head.output_tokens_max,
        deadline_at=ask.deadline_at,
        value_usd=ask.klass.value_usd,
        rule="single",
        probe_arm="",
        endpoint=endpoint.name,
        pool=endpoint.pool.name,
        candidates=(chosen,),
        candidates_count=candidates,
        feasibility="",
        board_version=0,
        board_age_s=0.0,
        view_age_s=max(0.0, at - endpoint.sampled_at) if endpoint.sample else 0.0,
        held_s=at - ask.arrived_at,
        mode="enforce",
    )


def outcome(
    at: Seconds,
    ask: Ask,
    kind: OutcomeKind,
    endpoint: EndpointView | None,
    served: Served | None = None,
    refusal: Refusal | None = None,
) -> Outcome:
    """What became of the attempt, or of the request that was never placed (`endpoint` None)."""
    status = served.status if served else (refusal.fault.status if refusal else 499)
    output_tokens = served.output_tokens if served else 0
    good = kind == "served" and status < 400
    return Outcome(
        id=ask.request_id,
        at=at,
        outcome=kind,
        endpoint=endpoint.name if endpoint else "",
        attempts=ask.attempt,
        status=status,
        code=refusal.code if refusal else "",
        reason=refusal.message if refusal else "",
        input_tokens=served.input_tokens if served else 0,
        cached_tokens=served.cached_tokens if served else 0,
        output_tokens=output_tokens,
        ttft_s=ask.first_byte_at - ask.arrived_at if ask.first_byte_at else 0.0,
        e2e_s=at - ask.arrived_at,
        in_time=good and _in_time(at, ask, output_tokens),
        cost_usd=0.0,
        principal=_PRINCIPAL,
        class_name=ask.klass.name,
        model=ask.head.model,
        retry_after_s=refusal.retry_after_s if refusal else 0.0,
        lineage=ask.request_id,
    )


def _in_time(at: Seconds, ask: Ask, output_tokens: int) -> bool:
    """The governor's reading of a promise: without a stream the whole answer stands for both."""
    promise, elapsed = ask.klass.promise, at - ask.arrived_at
    ttft_s = ask.head.ttft_s_max or promise.ttft_s
    tpot_s = ask.head.tpot_s_max or promise.tpot_s
    limit_s = min(promise.e2e_s or float("inf"), ask.head.deadline_s or float("inf"))
    others = max(0, output_tokens - 1)
    if elapsed > limit_s:
        return False
    if not ask.head.stream:
        return not (ttft_s and tpot_s) or elapsed <= ttft_s + tpot_s * others
    if ttft_s and ask.first_byte_at - ask.arrived_at > ttft_s:
        return False
    return not (tpot_s and others) or (at - ask.first_byte_at) / others <= tpot_s
