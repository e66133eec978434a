"""Do spans and gen_ai metrics reach a real OTLP/HTTP collector, with the right names?"""

import asyncio
import gzip
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from flyball.serve.config import Config
from flyball.serve.telemetry.prometheus import Telemetry, names
from flyball.serve.telemetry.tracing import EXPORT_S_MAX, PENDING_MAX, span_context
from support import records
from support.configs import ENV, config

INTENT = records.intent(
    id="req_2",
    at=1000.5,
    principal="ann",
    class_name="talk",
    session="s-1",
    model="m",
    attempt=2,
    lineage="req_1",
    is_retry=True,
    tokens_offered=120,
    tokens_kept=100,
    deadline_at=1600.0,
    value_usd=0.02,
    probe_arm="plus",
    endpoint="big-0",
    pool="big",
    candidates=(
        records.candidate("small-0", total_usd=0.002, propensity=0.25),
        records.candidate("big-0", total_usd=0.001, propensity=0.75),
    ),
    board_version=9,
    board_age_s=1.5,
    held_s=0.5,
)
OUTCOME = records.outcome(
    INTENT,
    at=1002.0,
    attempts=1,
    input_tokens=100,
    cached_tokens=60,
    output_tokens=20,
    ttft_s=0.3,
    e2e_s=1.9,
    cost_usd=0.001,
    lineage="req_1",
)
REFUSED = msgspec.structs.replace(
    OUTCOME,
    id="req_3",
    outcome="refused",
    endpoint="",
    status=429,
    code="queue_full",
    reason="full",
    ttft_s=0.0,
    e2e_s=0.0,
    price_usd=0.5,
    lineage="",
)


SETTLED = records.settled(class_name="talk")


class Collector:
    """An OTLP/HTTP endpoint on a thread of its own, which keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: dict[str, list[float]] = {}
        self.headers: list[str] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Collector":
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/traces", self._traces)
        app.router.add_post("/v1/metrics", self._metrics)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        self._up.set()

    async def _body(self, request: web.Request) -> bytes:
        self.headers.append(request.headers.get("x-team", ""))
        body = await request.read()
        return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body

    async def _traces(self, request: web.Request) -> web.Response:
        found = ExportTraceServiceRequest.FromString(await self._body(request))
        for resource in found.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response()

    async def _metrics(self, request: web.Request) -> web.Response:
        found = ExportMetricsServiceRequest.FromString(await self._body(request))
        for resource in found.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = metric.histogram.data_points
                    self.metrics[metric.name] = [point.sum for point in points]
        return web.Response()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


def traced(collector: Collector, more: str = "") -> Config:
    section = f"{{otlp_endpoint: '{collector.url}', otlp_headers_env: HEADERS{more}}}"
    return config(
        ("version: v1", f"version: v1\ntelemetry: {section}"), env={**ENV, "HEADERS": "x-team=sre"}
    )


def attributes(span: Span) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in span.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind or "string_value")
        if kind == "array_value":
            value = [item.string_value for item in value.values]
        found[pair.key] = value
    return found


def test_a_request_becomes_one_span(collector: Collector) -> None:
    telemetry = Telemetry(traced(collector), env={})
    assert telemetry.is_tracing
    telemetry.recorded(INTENT)
    telemetry.recorded(OUTCOME)
    telemetry.recorded(REFUSED)
    telemetry.close()
    first, second = collector.spans
    assert (first.name, second.name) == ("chat m", "refused m")
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (
        1000_000_000_000,
        1002_000_000_000,
    )
    context = span_context("req_2")
    assert first.trace_id == context.trace_id.to_bytes(16)
    assert first.span_id == context.span_id.to_bytes(8)
    assert first.links[0].trace_id == span_context("req_1").trace_id.to_bytes(16)
    assert len(second.links) == 0
    assert (first.status.code, second.status.code) == (0, 2)
    assert "sre" in collector.headers


def test_a_span_tells_what_can_not_be_added_later(collector: Collector) -> None:
    telemetry = Telemetry(traced(collector), env={})
    for record in (INTENT, OUTCOME, REFUSED):
        telemetry.recorded(record)
    telemetry.close()
    first, second = (attributes(span) for span in collector.spans)
    assert set(first) | set(second) == set(names.ATTRIBUTES)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.conversation.id": "s-1",
        "gen_ai.usage.cache_read.input_tokens": 60,
        "server.address": "127.0.0.1",
        "server.port": 8102,
        "flyball.attempt.n": 2,
        "flyball.attempt.of": "req_1",
        "flyball.attempt.cause": "retry",
        "flyball.route.propensity": 0.75,
        "flyball.route.candidates": ["small-0", "big-0"],
        "flyball.context.tokens_offered": 120,
        "flyball.context.tokens_kept": 100,
        "flyball.price.version": 9,
        "flyball.price.age_ms": 1500.0,
        "flyball.probe.arm": "plus",
        "flyball.admit.bid": 0.001,
    }
    assert {key: first[key] for key in expected} == expected
    assert second["error.type"] == "queue_full"
    assert second["flyball.admit.decision"] == "refused"
    assert second["flyball.admit.bid"] == 0.5


def test_gen_ai_metrics_are_exported(collector: Collector) -> None:
    telemetry = Telemetry(traced(collector), env={})
    telemetry.settled((SETTLED,))
    telemetry.close()
    assert set(collector.metrics) == set(names.OTEL_METRICS)
    assert collector.metrics[names.GEN_AI_DURATION] == [pytest.approx(0.7)]
    assert collector.metrics[names.GEN_AI_TTFT] == [pytest.approx(0.2)]
    assert collector.metrics[names.GEN_AI_TPOT] == [pytest.approx(0.05)]


def test_sampling_keeps_whole_requests_or_none(collector: Collector) -> None:
    telemetry = Telemetry(traced(collector, ", sample_ratio: 0.5"), env={})
    for i in range(200):
        telemetry.recorded(msgspec.structs.replace(INTENT, id=f"r{i}"))
        telemetry.recorded(msgspec.structs.replace(OUTCOME, id=f"r{i}"))
    telemetry.close()
    assert 70 < len(collector.spans) < 130
    assert all("flyball.route.rule" in attributes(span) for span in collector.spans)


def test_the_environment_s_collector_is_used(collector: Collector) -> None:
    telemetry = Telemetry(config(), env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    telemetry.recorded(OUTCOME)
    telemetry.close()
    assert [span.name for span in collector.spans] == ["served m"]


def test_intents_without_an_outcome_are_bounded(collector: Collector) -> None:
    telemetry = Telemetry(traced(collector), env={})
    tracing = telemetry._tracing
    assert tracing is not None
    for i in range(PENDING_MAX + 10):
        tracing.intent(msgspec.structs.replace(INTENT, id=f"r{i}"))
    assert len(tracing._pending) == PENDING_MAX
    telemetry.close()


def test_a_collector_that_is_down_is_counted_and_delays_no_end(
    capfd: pytest.CaptureFixture[str],
) -> None:
    telemetry = Telemetry(config(), env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    telemetry.recorded(OUTCOME)
    telemetry.settled((SETTLED,))
    begun = time.monotonic()
    telemetry.close()
    assert time.monotonic() - begun < 3 * EXPORT_S_MAX
    page = telemetry.render().decode()
    assert 'flyball_exports_lost_total{signal="spans"} 1.0' in page
    assert 'flyball_exports_lost_total{signal="metrics"} 1.0' in page
    assert "Transient" not in capfd.readouterr().err
