"""What does a request look like as an OpenTelemetry span, and how does it get to the collector?

A span is built from the two records of a request, so that it says no more and no less than the
ledger does. Ids are derived, not drawn: the trace id is the first half of SHA-256(request id), so
a trace is found from a request id, and a retry can link to the trace of its first try.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from flyball import __version__
from flyball.model.decision import Intent, Outcome, Record
from flyball.model.fleet import Fleet
from flyball.model.signals import Settled
from flyball.serve.config.load import TelemetrySettings
from flyball.serve.telemetry import names
from flyball.units import MS_PER_S, Seconds, ms_from_seconds

NS_PER_S = 1_000_000_000
PENDING_MAX = 65_536
BATCH_MAX = 512
EXPORT_S_MAX: Seconds = 2.0
SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"
Values = dict[str, str | bool | int | float | tuple[str, ...]]


class SpanExport(OTLPSpanExporter):
    """Counts batches of spans that could not be delivered."""

    lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self.lost += result is not SpanExportResult.SUCCESS
        return result


class MetricExport(OTLPMetricExporter):
    """Counts batches of metrics that could not be delivered."""

    lost = 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: object
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self.lost += result is not MetricExportResult.SUCCESS
        return result


class Tracing:
    """Spans and gen_ai.* metrics, exported by threads of the OpenTelemetry SDK over OTLP/HTTP.

    Everything waiting is bounded: intents without an outcome by `PENDING_MAX`, spans by the file's
    `spans_max`; what goes beyond is dropped, oldest first.
    """

    def __init__(self, settings: TelemetrySettings, address: str) -> None:
        base, headers = address.rstrip("/"), dict(settings.otlp_headers)
        interval_ms = ms_from_seconds(settings.export_interval_s)
        self._resource = Resource.create(
            {"service.name": "flyball", "service.version": __version__}
        )
        self._scope = InstrumentationScope("flyball", __version__, SCHEMA_URL)
        # The SDK logs each failed try; the operator reads how many failed on /metrics instead.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._span_export = SpanExport(f"{base}/v1/traces", headers=headers, timeout=EXPORT_S_MAX)
        self._metric_export = MetricExport(
            f"{base}/v1/metrics", headers=headers, timeout=EXPORT_S_MAX
        )
        self._spans = BatchSpanProcessor(
            self._span_export,
            max_queue_size=settings.spans_max,
            max_export_batch_size=min(BATCH_MAX, settings.spans_max),
            schedule_delay_millis=interval_ms,
        )
        reader = PeriodicExportingMetricReader(
            self._metric_export,
            export_interval_millis=interval_ms,
            export_timeout_millis=ms_from_seconds(EXPORT_S_MAX),
        )
        self._meters = MeterProvider(
            metric_readers=[reader], resource=self._resource, shutdown_on_exit=False
        )
        meter = self._meters.get_meter("flyball", __version__, SCHEMA_URL)

        def histogram(name: str, bounds: tuple[float, ...]) -> Histogram:
            return meter.create_histogram(
                name, "s", names.OTEL_METRICS[name], explicit_bucket_boundaries_advisory=bounds
            )

        self._duration = histogram(names.GEN_AI_DURATION, names.GEN_AI_DURATION_BUCKETS)
        self._ttft = histogram(names.GEN_AI_TTFT, names.GEN_AI_TTFT_BUCKETS)
        self._tpot = histogram(names.GEN_AI_TPOT, names.GEN_AI_TPOT_BUCKETS)
        self._sample_bound = int(settings.sample_ratio * (1 << 64))
        self._pending: OrderedDict[str, Intent] = OrderedDict()
        self._places: dict[str, Values] = {}
        self._models: frozenset[str] = frozenset()
        self._providers: tuple[str, ...] = ()

    def adopt(self, fleet: Fleet) -> None:
        """Know the endpoints of the fleet in force."""
        pools = {pool.name: pool for pool in fleet.pools}
        self._models = frozenset(model for pool in fleet.pools for model in pool.models)
        self._providers = tuple(pools[each.pool].engine for each in fleet.endpoints)
        self._places.clear()
        for each in fleet.endpoints:
            url, pool = urlsplit(each.url), pools[each.pool]
            self._places[each.name] = {
                "gen_ai.provider.name": pool.engine,
                "server.address": url.hostname or "",
                "server.port": url.port or (443 if url.scheme == "https" else 80),
                "flyball.route.accelerator": pool.profile.accelerator,
            }

    def intent(self, record: Record) -> None:
        """Keep it until its outcome comes."""
        if isinstance(record, Intent) and self._is_sampled(record.id):
            self._pending[record.id] = record
            if len(self._pending) > PENDING_MAX:
                self._pending.popitem(last=False)

    def outcome(self, record: Record) -> None:
        """The request is over: send its span on its way."""
        if isinstance(record, Outcome) and self._is_sampled(record.id):
            self._spans.on_end(self._span(self._pending.pop(record.id, None), record))

    def settled(self, one: Settled) -> None:
        """Count one request in the gen_ai.* histograms; a refused one never reached an engine."""
        if one.outcome == "refused" or not 0 <= one.endpoint < len(self._providers):
            return
        labels: dict[str, str] = {
            "gen_ai.request.model": one.model if one.model in self._models else "other",
            "gen_ai.provider.name": self._providers[one.endpoint],
        }
        if one.outcome != "served":
            labels["error.type"] = one.code or one.outcome
        self._duration.record(one.e2e_s, labels)
        if one.ttft_s > 0:
            self._ttft.record(one.ttft_s, labels)
            if one.output_tokens > 1:
                self._tpot.record((one.e2e_s - one.ttft_s) / (one.output_tokens - 1), labels)

    @property
    def lost(self) -> dict[str, int]:
        """Batches that could not be delivered, by signal."""
        return {"spans": self._span_export.lost, "metrics": self._metric_export.lost}

    def close(self) -> None:
        """Export what waits, `EXPORT_S_MAX` for each signal at most."""
        wait_ms = int(EXPORT_S_MAX * MS_PER_S)
        self._spans.force_flush(wait_ms)
        self._spans.shutdown()
        self._meters.shutdown(wait_ms)

    def _is_sampled(self, request_id: str) -> bool:
        """The same answer for both records of a request, in every process."""
        return int.from_bytes(sha256(request_id.encode()).digest()[24:]) < self._sample_bound

    def _span(self, intent: Intent | None, outcome: Outcome) -> ReadableSpan:
        start_s = outcome.at - outcome.e2e_s
        if intent is not None:
            start_s = min(start_s, intent.at - intent.held_s)
        values: Values = {**outcome_attributes(outcome)}
        if intent is not None:
            values |= intent_attributes(intent)
        values |= self._places.get(outcome.endpoint, {})
        is_good = outcome.outcome == "served"
        return ReadableSpan(
            name=span_name(intent, outcome),
            context=span_context(outcome.id),
            resource=self._resource,
            attributes=values,
            links=_links(outcome.id, intent.lineage if intent else outcome.lineage),
            kind=SpanKind.SERVER,
            status=Status(StatusCode.UNSET)
            if is_good
            else Status(StatusCode.ERROR, outcome.reason or outcome.code),
            start_time=int(start_s * NS_PER_S),
            end_time=int(outcome.at * NS_PER_S),
            instrumentation_scope=self._scope,
        )


def span_context(request_id: str) -> SpanContext:
    """Trace and span id of a request: bytes 0-15 and 16-23 of SHA-256 of its id."""
    digest = sha256(request_id.encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16]),
        span_id=int.from_bytes(digest[16:24]),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def span_name(intent: Intent | None, outcome: Outcome) -> str:
    """`chat llama-3.1-8b`; of a request refused before its operation was known, `refused MODEL`."""
    operation = names.operation_name(intent.operation) if intent else outcome.outcome
    model = intent.model if intent else outcome.model
    return f"{operation} {model}".strip()


def _links(request_id: str, first: str) -> list[Link]:
    return [Link(span_context(first))] if first and first != request_id else []


def intent_attributes(intent: Intent) -> Values:
    """What the decision says (`names.ATTRIBUTES`)."""
    chosen = next((one for one in intent.candidates if one.endpoint == intent.endpoint), None)
    values: Values = {
        "gen_ai.operation.name": names.operation_name(intent.operation),
        "gen_ai.request.model": intent.model,
        "gen_ai.request.max_tokens": intent.output_tokens_max,
        "flyball.principal": intent.principal,
        "flyball.class": intent.class_name,
        "flyball.mode": intent.mode,
        "flyball.admit.decision": "admitted",
        "flyball.admit.value": intent.value_usd,
        "flyball.attempt.n": intent.attempt,
        "flyball.attempt.of": intent.lineage or intent.id,
        "flyball.context.tokens_offered": intent.tokens_offered,
        "flyball.context.tokens_kept": intent.tokens_kept,
        "flyball.route.pool": intent.pool,
        "flyball.route.candidates": tuple(one.endpoint for one in intent.candidates),
        "flyball.route.candidates_count": intent.candidates_count,
        "flyball.route.rule": intent.rule,
        "flyball.price.version": intent.board_version,
        "flyball.price.age_ms": ms_from_seconds(intent.board_age_s),
        "flyball.view.age_ms": ms_from_seconds(intent.view_age_s),
        "flyball.held_ms": ms_from_seconds(intent.held_s),
    }
    if intent.session:
        values["gen_ai.conversation.id"] = intent.session
    if intent.is_retry:
        values["flyball.attempt.cause"] = "retry"
    if intent.probe_arm:
        values["flyball.probe.arm"] = intent.probe_arm
    if chosen is not None:
        values["flyball.admit.bid"] = chosen.total_usd
        values["flyball.route.propensity"] = chosen.propensity
    return values


def outcome_attributes(outcome: Outcome) -> Values:
    """What came of it (`names.ATTRIBUTES`)."""
    values: Values = {
        "gen_ai.request.model": outcome.model,
        "gen_ai.usage.input_tokens": outcome.input_tokens,
        "gen_ai.usage.output_tokens": outcome.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": outcome.cached_tokens,
        "flyball.decision.id": outcome.id,
        "flyball.principal": outcome.principal,
        "flyball.class": outcome.class_name,
        "flyball.outcome": outcome.outcome,
        "flyball.admit.decision": "refused" if outcome.outcome == "refused" else "admitted",
        "flyball.attempt.upstream": outcome.attempts,
        "flyball.route.backend": outcome.endpoint,
        "flyball.in_time": outcome.in_time,
        "flyball.cost_usd": outcome.cost_usd,
    }
    if outcome.status:
        values["http.response.status_code"] = outcome.status
    if outcome.ttft_s > 0:
        values["gen_ai.response.time_to_first_chunk"] = outcome.ttft_s
    if outcome.outcome == "refused":
        values["flyball.admit.bid"] = outcome.price_usd
    if outcome.outcome != "served":
        values["error.type"] = outcome.code or outcome.outcome
    return values
