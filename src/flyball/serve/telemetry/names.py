"""What is every metric, span and attribute called, in which unit, and what does it mean?

Names are for ever, so they stand here once; the reference, the dashboard and the alerts are made
from, or checked against, this file. Prometheus names follow prometheus.io/docs/practices/naming
(base units, `_total`, ratios 0-1); `gen_ai.*` are those of OpenTelemetry's semantic conventions
v1.41, in which they are marked development; `flyball.*` are ours.
"""

from typing import Literal

from msgspec import Struct

MetricKind = Literal["counter", "gauge", "histogram"]


class Metric(Struct, frozen=True, kw_only=True):
    """One Prometheus metric. `name` is as it is queried; `unit` "" = a plain number."""

    name: str
    kind: MetricKind
    unit: str
    labels: tuple[str, ...]
    about: str
    buckets: tuple[float, ...] = ()


class Attribute(Struct, frozen=True, kw_only=True):
    """One attribute of the request's span."""

    name: str
    about: str


_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WHOLE = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TOKEN = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0)
_PAUSE = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1)
_DECIDE = (5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2)
_SOLVE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


def _counter(name: str, unit: str, labels: str, about: str) -> Metric:
    return Metric(name=name, kind="counter", unit=unit, labels=tuple(labels.split()), about=about)


def _gauge(name: str, unit: str, labels: str, about: str) -> Metric:
    return Metric(name=name, kind="gauge", unit=unit, labels=tuple(labels.split()), about=about)


def _histogram(
    name: str, labels: str, about: str, buckets: tuple[float, ...], unit: str = "s"
) -> Metric:
    return Metric(
        name=name,
        kind="histogram",
        unit=unit,
        labels=tuple(labels.split()),
        about=about,
        buckets=buckets,
    )


DECISIONS = _counter(
    "flyball_decisions_total",
    "",
    "outcome reason",
    "Requests admitted or refused; reason = the fault's code, `none` if admitted.",
)
REQUESTS = _counter(
    "flyball_requests_total",
    "",
    "class model pool outcome",
    "Requests that came to an end; pool = `none` if no endpoint was chosen.",
)
IN_TIME = _counter(
    "flyball_requests_in_time_total", "", "class", "Requests served within their promise."
)
PROMISES = _counter(
    "flyball_promises_total", "", "class result", "Guarantees settled; result = kept or broken."
)
PENALTY = _counter(
    "flyball_promise_penalty_usd_total", "USD", "class", "What broken guarantees cost."
)
OBJECTIVE = _gauge(
    "flyball_objective_ratio", "", "class", "Share of requests owed an answer as promised."
)
BUDGET_LEFT = _gauge(
    "flyball_objective_budget_left_ratio",
    "",
    "class",
    "Error budget left over the objective's window; below 0 = overdrawn.",
)
BURN = _gauge(
    "flyball_objective_burn_ratio",
    "",
    "class window",
    "Misses per request over 1 - objective; 1 = the budget lasts exactly its window.",
)
VALUE = _counter(
    "flyball_value_usd_total", "USD", "class", "Worth of the answers that came in time."
)
SESSIONS_BEGUN = _counter(
    "flyball_sessions_begun_total", "", "class", "Agents' sessions whose first step was answered."
)
SESSION_STEPS = _counter(
    "flyball_session_steps_total", "", "class", "Steps of agents' sessions that were answered."
)
STEPS_SPARED = _counter(
    "flyball_session_steps_spared_total",
    "",
    "class",
    "Later steps placed late that would have been refused outside a session.",
)
COST = _counter(
    "flyball_cost_usd_total", "USD", "class pool", "Resources and tokens that requests used."
)
TOKENS = _counter(
    "flyball_tokens_total",
    "tokens",
    "pool kind",
    "Tokens as engines told them; kind = input, cached (part of input) or output.",
)
CLIENT_RETRIES = _counter(
    "flyball_client_retries_total", "", "class", "Requests recognised as a client's retry."
)
ATTEMPTS_AGAIN = _counter(
    "flyball_upstream_retries_total", "", "pool", "Attempts beyond a request's first."
)
COPIES = _counter(
    "flyball_copies_total",
    "",
    "class result",
    "Requests of which a second copy was sent; result = won if the copy answered first, or lost.",
)
CONTEXT_CUT = _counter(
    "flyball_context_tokens_cut_total",
    "tokens",
    "class",
    "Prompt tokens that were not granted, as oldest turns were left out.",
)
DEMOTIONS = _counter(
    "flyball_demotions_total", "", "class model", "Requests that a smaller model answered: which."
)
TTFT = _histogram(
    "flyball_ttft_seconds", "class pool", "Arrival to the answer's first byte.", _SHORT
)
TPOT = _histogram("flyball_tpot_seconds", "class pool", "Time per token after the first.", _TOKEN)
E2E = _histogram("flyball_request_duration_seconds", "class pool", "Arrival to last byte.", _WHOLE)
HELD = _histogram(
    "flyball_held_seconds", "class", "Wait at the gate, of requests that waited.", _SHORT
)
TTFT_PREDICTED = _counter(
    "flyball_ttft_predicted_seconds_total",
    "s",
    "pool",
    "Sum of predicted times to first byte; compare flyball_ttft_seconds_sum.",
)
DECISION_TIME = _histogram(
    "flyball_decision_duration_seconds", "", "CPU of one decision, sampled.", _DECIDE
)

GPU_PRICE = _gauge("flyball_price_usd_per_gpu_second", "USD/s", "pool", "Price of GPU time.")
KV_PRICE = _gauge(
    "flyball_price_usd_per_kv_token_second", "USD/s", "pool", "Price of holding a KV token."
)
ENERGY_PRICE = _gauge("flyball_price_usd_per_joule", "USD/J", "pool", "Price of energy.")
BUDGET_PRICE = _gauge(
    "flyball_price_usd_per_budget_usd", "", "budget", "Price of a dollar of that budget."
)
POOL_LOAD = _gauge("flyball_pool_load_ratio", "", "pool", "Planned load of the pool, 0-1.")
SOLVER_GAP = _gauge("flyball_solver_gap_ratio", "", "", "Gap of the plan in force.")
BOARD_VERSION = _gauge("flyball_board_version", "", "", "Version of the prices in force; 0 = none.")
BOARD_AGE = _gauge("flyball_board_age_seconds", "s", "", "Age of the prices in force.")
PLANS = _counter("flyball_plans_total", "", "result", "Joint plans; result = published or refused.")
PERIOD_TIME = _histogram(
    "flyball_period_duration_seconds", "", "Time to solve one joint plan.", _SOLVE
)

RUNNING = _gauge("flyball_endpoint_running", "", "endpoint pool", "Requests running, as told.")
WAITING = _gauge("flyball_endpoint_waiting", "", "endpoint pool", "Requests queued, as told.")
KV_USAGE = _gauge("flyball_endpoint_kv_usage_ratio", "", "endpoint pool", "KV cache in use, 0-1.")
IN_FLIGHT = _gauge(
    "flyball_endpoint_in_flight", "", "endpoint pool", "Requests sent there by this gateway."
)
SIGNAL_AGE = _gauge(
    "flyball_signal_age_seconds", "s", "source", "Age of the last good reading of an endpoint."
)
SCRAPE_FAILURES = _counter(
    "flyball_scrape_failures_total", "", "endpoint", "Readings of an endpoint that failed."
)
CIRCUIT = _gauge(
    "flyball_endpoint_circuit_state",
    "",
    "endpoint",
    "0 closed (in use), 1 half open (on trial), 2 open (left out).",
)
POWER = _gauge(
    "flyball_power_watts", "W", "pool", "Power by the profile's curve at the running batch."
)
ENERGY = _counter(
    "flyball_energy_joules_total", "J", "pool", "That power over time, while readings are fresh."
)

RECORDS = _counter("flyball_records_sealed_total", "", "", "Records that are durable.")
LEDGER_UP = _gauge("flyball_ledger_available", "", "", "1 = records are kept, 0 = they are not.")
LOOP_ACTIONS = _counter(
    "flyball_loop_actions_total", "", "loop actuator", "Set-points moved, by loop."
)
LOOP_SETPOINT = _gauge(
    "flyball_loop_setpoint", "", "loop actuator scope", "Where the set-point stands."
)
LOOP_WISH = _gauge(
    "flyball_loop_wish", "", "loop actuator scope", "Where the loop wants it: advised or enforced."
)
FINDING = _gauge(
    "flyball_finding",
    "",
    "code level loop",
    "1 = this finding of diagnosis stands, 0 = it is gone.",
)
MARGIN = _gauge(
    "flyball_margin",
    "",
    "of what",
    "A margin by diagnosis, of a loop or pool; NaN = not known now.",
)
CONFIG_CHANGES = _counter(
    "flyball_config_changes_total",
    "",
    "result",
    "Fleet files that came into force or were refused.",
)
EXPORTS_LOST = _counter(
    "flyball_exports_lost_total",
    "",
    "signal",
    "Batches of spans or metrics that the collector did not take.",
)
NOTICES = _counter("flyball_notices_total", "", "level code", "Lines for the operator.")
PAUSES = _histogram(
    "flyball_pause_seconds", "worker", "Pauses of the gateway's own: loop lag.", _PAUSE
)
WORKER_LAG = _gauge(
    "flyball_worker_view_lag_seconds", "s", "worker", "Age of a worker's view of its peers."
)

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in list(globals().values()) if isinstance(metric, Metric)
}

# OpenTelemetry metrics (gen_ai.*, v1.41): histograms in seconds with the convention's buckets.
GEN_AI_DURATION = "gen_ai.server.request.duration"
GEN_AI_TTFT = "gen_ai.server.time_to_first_token"
GEN_AI_TPOT = "gen_ai.server.time_per_output_token"
GEN_AI_DURATION_BUCKETS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
GEN_AI_TTFT_BUCKETS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
GEN_AI_TPOT_BUCKETS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
OTEL_METRICS: dict[str, str] = {
    GEN_AI_DURATION: "Arrival to last byte, s; by model, operation and error.",
    GEN_AI_TTFT: "Arrival to first byte, s.",
    GEN_AI_TPOT: "Time per token after the first, s.",
}

SPAN_ABOUT = (
    "One span per request, named `{gen_ai.operation.name} {gen_ai.request.model}`. Its trace id is "
    "the first half of the SHA-256 of the request id; a retry links to the trace of the first try."
)
_OPERATIONS = {
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "response": "chat",
    "message": "chat",
    "infer": "infer",
}


def operation_name(operation: str) -> str:
    """`gen_ai.operation.name` of one of the model's operations."""
    return _OPERATIONS.get(operation, operation)


ATTRIBUTES: dict[str, Attribute] = {
    name: Attribute(name=name, about=about)
    for name, about in (
        ("gen_ai.operation.name", "chat, text_completion, embeddings or infer."),
        ("gen_ai.provider.name", "The engine's kind: vllm, sglang, …"),
        ("gen_ai.request.model", "The model the client asked for."),
        ("gen_ai.request.max_tokens", "Most tokens of the answer, as allowed."),
        ("gen_ai.usage.input_tokens", "Prompt tokens, as the engine told."),
        ("gen_ai.usage.output_tokens", "Answer tokens, as the engine told."),
        ("gen_ai.usage.cache_read.input_tokens", "Prompt tokens found in the prefix cache."),
        ("gen_ai.response.time_to_first_chunk", "Arrival to first byte, s."),
        ("gen_ai.conversation.id", "The session."),
        ("error.type", "The fault's code, or the outcome, when the answer failed."),
        ("server.address", "Host of the engine that answered."),
        ("server.port", "Its port."),
        ("http.response.status_code", "Status sent to the client."),
        ("flyball.decision.id", "The request id: `flyball explain` takes it."),
        ("flyball.principal", "Whose key it was."),
        ("flyball.class", "The request's class."),
        (
            "flyball.outcome",
            "served, refused, failed, client-gone, deadline, truncated-stream, lost.",
        ),
        ("flyball.mode", "observe or enforce."),
        ("flyball.admit.decision", "admitted or refused."),
        ("flyball.admit.value", "Worth of an answer in time, USD."),
        ("flyball.admit.bid", "Price of the chosen place, USD."),
        ("flyball.attempt.n", "Which try of this work it is, from 1."),
        ("flyball.attempt.of", "Request id of the first try."),
        ("flyball.attempt.cause", "retry, if it is a client's retry."),
        ("flyball.attempt.upstream", "Attempts that the gateway made for this request."),
        ("flyball.context.tokens_offered", "Prompt tokens offered (estimate)."),
        ("flyball.context.tokens_kept", "Prompt tokens kept after allowance."),
        ("flyball.route.pool", "The chosen pool."),
        ("flyball.route.backend", "The chosen endpoint."),
        ("flyball.route.accelerator", "Its accelerator."),
        ("flyball.route.candidates", "Endpoints that were priced, best first."),
        ("flyball.route.candidates_count", "How many were feasible."),
        ("flyball.route.propensity", "Probability with which the choice was made."),
        ("flyball.route.rule", "Rule that chose."),
        ("flyball.price.version", "Version of the prices in force."),
        ("flyball.price.age_ms", "Their age, ms."),
        ("flyball.view.age_ms", "Age of the view of the chosen endpoint, ms."),
        ("flyball.probe.arm", "Arm of a running probe; absent = none."),
        ("flyball.held_ms", "Wait at the gate, ms."),
        ("flyball.in_time", "Whether the promise was kept."),
        ("flyball.cost_usd", "What the request used, USD."),
    )
}
