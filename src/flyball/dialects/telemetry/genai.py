"""Which call to a model does a span tell of, as a record of what was chosen and how it ended?

Attribute sets: OpenTelemetry GenAI new and old, vLLM, llm-d, OpenInference, Langfuse, ours. What a
set does not tell stays at a neutral value; `Seen` counts which facts were told at all.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from msgspec import Struct

from flyball.dialects.telemetry import names
from flyball.dialects.telemetry.names import SpanFamily
from flyball.dialects.telemetry.otlp import Attributes, Span
from flyball.model.decision import Candidate, Intent, Outcome, OutcomeKind
from flyball.units import Seconds

CANDIDATES_MAX = 64
_ENDINGS = frozenset(OutcomeKind.__args__)
_REFUSED = frozenset({"429", "503", "rate_limit_exceeded", "overloaded_error", "RateLimitError"})
_LATE = frozenset({"timeout", "408", "504", "TimeoutError", "APITimeoutError"})


class Call(Struct, frozen=True, gc=False):
    """One call as two records, and whose view of it the span is."""

    family: SpanFamily
    intent: Intent
    outcome: Outcome


class Seen(Struct):
    """How many spans were calls, how many were none, and how often each fact was told."""

    calls: int = 0
    others: int = 0
    facts: Counter[str] = msgspec.field(default_factory=Counter)


def call_of(span: Span, seen: Seen) -> Call | None:
    """The call that a span is; None for wrappers, parts of calls, and spans of other things."""
    said = span.attributes
    given, made = _number(said, names.INPUT), _number(said, names.OUTPUT)
    if given is None or _is_other(span):
        seen.others += 1
        return None
    seen.calls += 1
    facts = seen.facts
    pool = _text(said, names.POOL)
    facts["pool"] += bool(pool)
    pool = pool or _text(said, names.POOL_FALLBACK) or "all"
    attempt = _attempt(said, facts)
    offered, kept = said.get(names.OFFERED), said.get(names.KEPT)
    facts["context"] += offered is not None and kept is not None
    cached = _number(said, names.CACHED)
    facts["cached"] += cached is not None
    ttft = _ttft(span)
    facts["ttft"] += ttft > 0.0
    endpoint = _text(said, names.BACKEND) or pool
    asked, served = _text(said, names.ASKED), _text(said, names.SERVED)
    facts["models"] += bool(asked and served)
    intent = Intent(
        id=span.id,
        at=span.begin_s,
        principal="",
        class_name=str(said.get("flyball.class", "")),
        session=_text(said, names.SESSION),
        session_source="",
        model=asked or served,
        operation=str(said.get("gen_ai.operation.name", "")),
        attempt=attempt,
        lineage="",
        is_retry=attempt > 1,
        tokens_offered=int(offered if offered is not None else given),
        tokens_kept=int(kept if kept is not None else offered if offered is not None else given),
        output_tokens_max=0,
        deadline_at=0.0,
        value_usd=0.0,
        rule="price",
        probe_arm="",
        endpoint=endpoint,
        pool=pool,
        candidates=_candidates(said, endpoint, facts),
        candidates_count=0,
        feasibility="",
        board_version=0,
        board_age_s=0.0,
        view_age_s=0.0,
        held_s=0.0,
        mode="",
        served_model=served if _is_other_model(asked, served) else "",
    )
    return Call(_family(said, span.name), intent, _outcome(span, intent, given, made, cached, ttft))


def _outcome(
    span: Span,
    intent: Intent,
    given: float,
    made: float | None,
    cached: float | None,
    ttft: Seconds,
) -> Outcome:
    said = span.attributes
    ending = _ending(span)
    return Outcome(
        id=intent.id,
        at=span.end_s,
        outcome=ending,
        endpoint=intent.endpoint,
        attempts=intent.attempt,
        status=0,
        code=str(said.get("error.type", "")),
        reason="",
        input_tokens=int(given),
        cached_tokens=int(cached or 0),
        output_tokens=int(made or 0),
        ttft_s=ttft,
        e2e_s=span.end_s - span.begin_s,
        in_time=bool(said.get(names.IN_TIME, ending == "served")),
        cost_usd=_number(said, names.COST) or 0.0,
        model=intent.model,
    )


def _is_other(span: Span) -> bool:
    operation = span.attributes.get("gen_ai.operation.name")
    kind = span.attributes.get("openinference.span.kind", "LLM")
    return operation in names.WRAPPERS or kind != "LLM" or span.name.startswith(names.PARTS)


def _family(said: Attributes, name: str) -> SpanFamily:
    if name == "llm_request" or "gen_ai.latency.time_in_queue" in said:
        return "engine"
    if name == "gateway.request" or "flyball.decision.id" in said:
        return "gateway"
    return "client"


def _ending(span: Span) -> OutcomeKind:
    said = span.attributes
    told = said.get(names.OUTCOME)
    if told in _ENDINGS:
        return cast(OutcomeKind, told)
    error = str(said.get("error.type", ""))
    if error in _REFUSED:
        return "refused"
    if error in _LATE:
        return "deadline"
    return "failed" if span.is_error or error else "served"


def _attempt(said: Attributes, facts: Counter[str]) -> int:
    again = said.get(names.RESENT)
    told = _number(said, names.ATTEMPT)
    facts["attempt"] += again is not None or told is not None
    return int(told) if told else 1 + int(again or 0)


def _ttft(span: Span) -> Seconds:
    told = _number(span.attributes, names.TTFT)
    if told is not None:
        return told
    begun = span.attributes.get(names.LANGFUSE_BEGUN)
    if not isinstance(begun, str):
        return 0.0
    try:
        moment = datetime.fromisoformat(begun.strip('"'))
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - span.begin_s)


def _candidates(said: Attributes, endpoint: str, facts: Counter[str]) -> tuple[Candidate, ...]:
    """The endpoints that might have been chosen, if the chance of each is known: from
    `name=chance` entries, or of two candidates with the chance of the chosen one."""
    told = said.get(names.CANDIDATES)
    rows = [str(one) for one in told[:CANDIDATES_MAX]] if isinstance(told, list) else []
    chance = _number(said, (names.PROPENSITY,))
    found: dict[str, float] = {}
    for row in rows:
        name, equals, number = row.rpartition("=")
        if equals and (value := _float(number)) is not None:
            found[name] = value
    if not found and chance is not None and len(rows) == 2 and endpoint in rows:
        found = {row: chance if row == endpoint else 1.0 - chance for row in rows}
    facts["propensity"] += bool(found)
    return tuple(
        Candidate(name, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, min(max(value, 0.0), 1.0))
        for name, value in found.items()
    )


def _is_other_model(asked: str, served: str) -> bool:
    """A release of the model that was asked for (`x` and `x-2026-01-01`) is not another one."""
    one, other = asked.rpartition("/")[2], served.rpartition("/")[2]
    return bool(one and other) and not (one.startswith(other) or other.startswith(one))


def _text(said: Attributes, wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if value := said.get(name):
            return str(value)
    return ""


def _number(said: Attributes, wanted: tuple[str, ...]) -> float | None:
    for name in wanted:
        if name in said:
            return _float(said[name])
    return None


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
