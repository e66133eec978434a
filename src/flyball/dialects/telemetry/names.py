"""What do other people's metrics and span attributes mean in our words?

Metric -> quantity. Sources, as released in 2025 and 2026: vLLM v1 `vllm/v1/metrics/loggers.py`,
SGLang `srt/metrics/collector.py`, Triton `docs/user_guide/metrics.md`, TensorRT-LLM's
`/prometheus/metrics`, the Gateway API Inference Extension's `pkg/epp/metrics`, kube-state-metrics'
`horizontalpodautoscaler-metrics.md`, KEDA's `integrations/prometheus`, LiteLLM's
`proxy/prometheus`, NVIDIA's dcgm-exporter `default-counters.csv`, OpenTelemetry's GenAI
conventions (as they arrive in Prometheus), and ours. Attributes: OpenTelemetry GenAI (new and
old), vLLM's `vllm/tracing.py`, llm-d's scheduler, OpenInference, Langfuse.
"""

from typing import Literal

from msgspec import Struct

from flyball.units import Seconds

Layer = Literal["gateway", "engine", "platform"]
Kind = Literal["gauge", "counter"]


class Metric(Struct, frozen=True):
    """One metric of somebody's: whose, which quantity, and by what to multiply it into s, W, 1.

    `where` = (label, value) that a series must carry to mean this.
    """

    source: str
    layer: Layer
    quantity: str
    kind: Kind = "gauge"
    scale: float = 1.0
    where: tuple[str, str] | None = None


def _histogram(
    name: str, source: str, layer: Layer, quantity: str, scale: float = 1.0
) -> dict[str, tuple[Metric, ...]]:
    return {
        f"{name}_sum": (Metric(source, layer, f"{quantity}_s", "counter", scale),),
        f"{name}_count": (Metric(source, layer, f"{quantity}_n", "counter"),),
    }


def _counters(source: str, layer: Layer, **names: str) -> dict[str, tuple[Metric, ...]]:
    """Quantity -> name; `_total` may be there or not: exporters differ."""
    found = {}
    for quantity, name in names.items():
        metric = Metric(source, layer, quantity, "counter")
        found[name] = found[f"{name}_total"] = (metric,)
    return found


def _engine(prefix: str, source: str) -> dict[str, tuple[Metric, ...]]:
    """What vLLM and SGLang share but for the prefix."""
    return {
        **_histogram(f"{prefix}e2e_request_latency_seconds", source, "engine", "e2e"),
        **_histogram(f"{prefix}time_to_first_token_seconds", source, "engine", "ttft"),
        **_counters(
            source,
            "engine",
            input_tokens=f"{prefix}prompt_tokens",
            output_tokens=f"{prefix}generation_tokens",
        ),
    }


_V, _S, _T, _R = "vllm", "sglang", "triton", "trtllm"
_TRT = "nv_trt_llm_request_metrics"

METRICS: dict[str, tuple[Metric, ...]] = {
    **_engine("vllm:", _V),
    "vllm:num_requests_waiting": (Metric(_V, "engine", "waiting"),),
    "vllm:num_requests_running": (Metric(_V, "engine", "running"),),
    "vllm:kv_cache_usage_perc": (Metric(_V, "engine", "kv_share"),),
    "vllm:gpu_cache_usage_perc": (Metric(_V, "engine", "kv_share"),),
    **_counters(
        _V,
        "engine",
        served="vllm:request_success",
        preemptions="vllm:num_preemptions",
        prefix_hits="vllm:prefix_cache_hits",
        prefix_queries="vllm:prefix_cache_queries",
    ),
    **_engine("sglang:", _S),
    "sglang:num_queue_reqs": (Metric(_S, "engine", "waiting"),),
    "sglang:num_running_reqs": (Metric(_S, "engine", "running"),),
    "sglang:token_usage": (Metric(_S, "engine", "kv_share"),),
    "sglang:cache_hit_rate": (Metric(_S, "engine", "cached_share"),),
    **_counters(_S, "engine", served="sglang:num_requests"),
    "nv_inference_pending_request_count": (Metric(_T, "engine", "waiting"),),
    "nv_inference_request_duration_us": (Metric(_T, "engine", "e2e_s", "counter", 1e-6),),
    "nv_inference_request_success": (
        Metric(_T, "engine", "served", "counter"),
        Metric(_T, "engine", "e2e_n", "counter"),
    ),
    "nv_inference_request_failure": (Metric(_T, "engine", "failed", "counter"),),
    _TRT: (
        Metric(_T, "engine", "waiting", where=("request_type", "waiting")),
        Metric(_T, "engine", "running", where=("request_type", "scheduled")),
    ),
    "nv_trt_llm_kv_cache_block_metrics": (
        Metric(_T, "engine", "kv_share", where=("kv_cache_block_type", "fraction")),
    ),
    "trtllm_num_requests_waiting": (Metric(_R, "engine", "waiting"),),
    "trtllm_num_requests_running": (Metric(_R, "engine", "running"),),
    "trtllm_kv_cache_utilization": (Metric(_R, "engine", "kv_share"),),
    **_counters(
        "epp",
        "gateway",
        requests="inference_objective_request",
        failed="inference_objective_request_error",
        late="inference_objective_request_slo_violation",
    ),
    **_counters("epp", "gateway", requests="inference_model_request"),
    **_histogram("inference_objective_request_duration_seconds", "epp", "gateway", "e2e"),
    **_histogram("inference_model_request_duration_seconds", "epp", "gateway", "e2e"),
    "inference_objective_running_requests": (Metric("epp", "gateway", "running"),),
    "inference_pool_ready_pods": (Metric("epp", "platform", "replicas"),),
    "inference_pool_average_kv_cache_utilization": (Metric("epp", "gateway", "kv_share"),),
    "inference_extension_flow_control_queue_size": (Metric("epp", "gateway", "waiting"),),
    "kube_horizontalpodautoscaler_status_current_replicas": (
        Metric("hpa", "platform", "replicas"),
    ),
    "kube_horizontalpodautoscaler_status_desired_replicas": (
        Metric("hpa", "platform", "replicas_wanted"),
    ),
    "kube_horizontalpodautoscaler_spec_max_replicas": (Metric("hpa", "platform", "replicas_max"),),
    "kube_horizontalpodautoscaler_spec_min_replicas": (Metric("hpa", "platform", "replicas_min"),),
    "kube_deployment_status_replicas_available": (Metric("deployment", "platform", "replicas"),),
    "keda_scaler_metrics_value": (Metric("keda", "platform", "scaler_value"),),
    "keda_scaler_active": (Metric("keda", "platform", "scaler_active"),),
    **_counters("keda", "platform", scaler_errors="keda_scaler_detail_errors"),
    **_counters(
        "litellm",
        "gateway",
        requests="litellm_proxy_total_requests_metric",
        failed="litellm_proxy_failed_requests_metric",
        spend_usd="litellm_spend_metric",
        retries="litellm_deployment_successful_fallbacks",
        input_tokens="litellm_input_tokens_metric",
        output_tokens="litellm_output_tokens_metric",
    ),
    **_histogram("litellm_request_total_latency_metric", "litellm", "gateway", "e2e"),
    **_histogram("litellm_llm_api_time_to_first_token_metric", "litellm", "gateway", "ttft"),
    "DCGM_FI_DEV_SM_CLOCK": (Metric("dcgm", "platform", "clock_hz", scale=1e6),),
    "DCGM_FI_DEV_POWER_USAGE": (Metric("dcgm", "platform", "power_w"),),
    "DCGM_FI_DEV_GPU_UTIL": (Metric("dcgm", "platform", "gpu_share", scale=0.01),),
    **_counters(
        "flyball",
        "gateway",
        requests="flyball_requests",
        retries="flyball_client_retries",
        tokens_cut="flyball_context_tokens_cut",
        spend_usd="flyball_cost_usd",
    ),
    **_histogram("flyball_request_duration_seconds", "flyball", "gateway", "e2e"),
    **_histogram("flyball_ttft_seconds", "flyball", "gateway", "ttft"),
    "flyball_tokens_total": (
        Metric("flyball", "gateway", "input_tokens", "counter", where=("kind", "input")),
        Metric("flyball", "gateway", "output_tokens", "counter", where=("kind", "output")),
        Metric("flyball", "gateway", "prefix_hits", "counter", where=("kind", "cached")),
        Metric("flyball", "gateway", "prefix_queries", "counter", where=("kind", "input")),
    ),
    "flyball_endpoint_waiting": (Metric("flyball", "gateway", "waiting"),),
    "flyball_endpoint_running": (Metric("flyball", "gateway", "running"),),
    "flyball_endpoint_kv_usage_ratio": (Metric("flyball", "gateway", "kv_share"),),
    "flyball_power_watts": (Metric("flyball", "gateway", "power_w"),),
    "flyball_loop_setpoint": (Metric("flyball", "gateway", "setpoint"),),
    **_histogram("gen_ai_server_request_duration_seconds", "otel", "gateway", "e2e"),
    **_histogram("gen_ai_server_time_to_first_token_seconds", "otel", "gateway", "ttft"),
    **_histogram("gen_ai_client_operation_duration_seconds", "otel", "gateway", "e2e"),
}
# Quantities that are averaged over series; all others are summed.
MEANS = frozenset({"kv_share", "cached_share", "clock_hz", "gpu_share", "setpoint"})
# Which pool a series belongs to: the first label it carries.
POOL_LABELS = (
    "pool",
    "inference_pool",
    "horizontalpodautoscaler",
    "scaledObject",
    "deployment",
    "exported_deployment",
    "service",
    "job",
)
# Of several gateways in a row, the first that is there is believed for the whole plant.
GATEWAYS = ("flyball", "epp", "litellm", "otel")
STALE_S: Seconds = 300.0

SpanFamily = Literal["gateway", "engine", "client"]
INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
SESSION = (
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "gen_ai.session.id",
    "gen_ai.thread.id",
)
ASKED = ("gen_ai.request.model", "llm.request.model_name", "llm.request.model", "llm.model_name")
SERVED = ("gen_ai.response.model", "llm.response.model_name", "langfuse.observation.model.name")
# In seconds.
TTFT = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.latency.time_to_first_token",
    "gen_ai.server.time_to_first_token",
)
POOL = ("flyball.route.pool", "llm_d.inference_pool", "k8s.deployment.name", "server.address")
POOL_FALLBACK = ("service.name", "gen_ai.provider.name", "gen_ai.system", "llm.provider")
BACKEND = ("flyball.route.backend", "k8s.pod.name", "service.instance.id", "server.address")
ATTEMPT = ("flyball.attempt.n", "flyball.attempt.upstream")
RESENT = "http.request.resend_count"
COST = ("flyball.cost_usd", "llm.cost.total", "gen_ai.usage.cost")
OFFERED, KEPT = "flyball.context.tokens_offered", "flyball.context.tokens_kept"
PROPENSITY, CANDIDATES = "flyball.route.propensity", "flyball.route.candidates"
IN_TIME, OUTCOME = "flyball.in_time", "flyball.outcome"
LANGFUSE_BEGUN = "langfuse.observation.completion_start_time"
# Spans that wrap calls, or parts of one: counted as calls they would count twice.
WRAPPERS = frozenset(
    {"invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "plan", "retrieval"}
)
PARTS = ("llm_d.epp.", "llm_d.pd_proxy.", "gateway.request_orchestration")
