"""Where does each kind of engine tell its state, what does it speak, and what are its quirks?"""

from collections.abc import Callable

from msgspec import Struct

from flyball.dialects import llamacpp, sglang, triton, trtllm, vllm
from flyball.model.fleet import EngineKind, Surface
from flyball.model.signals import EngineSample


class EngineTraits(Struct, frozen=True, kw_only=True):
    """One kind of engine: paths below the endpoint's URL ("" = it has none), surfaces, quirks.

    `surfaces` is what current releases speak; a pool states what its own release speaks. `quirks`
    are sentences for an operator; no request is ever changed for one.
    """

    kind: EngineKind
    metrics_path: str
    health_path: str
    surfaces: tuple[Surface, ...]
    quirks: tuple[str, ...] = ()


ENGINES: dict[EngineKind, EngineTraits] = {
    traits.kind: traits
    for traits in (
        EngineTraits(
            kind="vllm",
            metrics_path="/metrics",
            health_path="/health",
            surfaces=("openai", "anthropic"),
            quirks=(
                "Streams tell usage only if stream_options.include_usage is sent, or with"
                " --enable-force-include-usage.",
                "Cached tokens are told only with --enable-prompt-tokens-details.",
                "`priority` counts only with --scheduling-policy priority; lower goes first.",
            ),
        ),
        EngineTraits(
            kind="sglang",
            metrics_path="/metrics",
            health_path="/health",
            surfaces=("openai", "anthropic"),
            quirks=(
                "Metrics need --enable-metrics.",
                "Cached tokens are told only with --enable-cache-report.",
                "`priority` counts only with --enable-priority-scheduling; higher goes first unless"
                " --schedule-low-priority-values-first.",
            ),
        ),
        EngineTraits(
            kind="trtllm",
            metrics_path="/prometheus/metrics",
            health_path="/health",
            surfaces=("openai", "anthropic"),
            quirks=(
                "The Messages API came in 2026; older releases speak OpenAI's alone.",
                "Prometheus metrics need return_perf_metrics: true; without it point metrics_url at"
                " /metrics, whose JSON is emptied by each reader.",
                "Behind Triton the metrics stand on port 8002 under /metrics (nv_trt_llm_*).",
            ),
        ),
        EngineTraits(
            kind="llamacpp",
            metrics_path="/metrics",
            health_path="/health",
            surfaces=("openai", "anthropic"),
            quirks=(
                "Metrics need --metrics; newer builds tell no KV cache usage.",
                "The model's name is not checked unless the server runs as a router.",
                "Requests beyond --parallel wait inside the server (requests_deferred).",
            ),
        ),
        EngineTraits(
            kind="ollama",
            metrics_path="",
            health_path="/api/version",
            surfaces=("openai", "anthropic"),
            quirks=(
                "It has no metrics: its load is known only from what this gateway sent to it.",
                "Fields it does not know (logit_bias, user, n) are ignored without an error.",
                "A model that is not loaded is loaded by the first request, which waits for it.",
            ),
        ),
        EngineTraits(
            kind="openai",
            metrics_path="",
            health_path="",
            surfaces=("openai",),
            quirks=(
                "It has no metrics and no health path: 429 and Retry-After are its only signals.",
            ),
        ),
        EngineTraits(
            kind="oip",
            metrics_path="/metrics",
            health_path="/v2/health/ready",
            surfaces=("oip",),
            quirks=(
                "Metrics stand on another port than inference: 8002 (Triton), 8082 (MLServer).",
                "Triton's clients send binary tensors: only Inference-Header-Content-Length bytes"
                " of the body are JSON.",
            ),
        ),
    )
}

_NOTHING = EngineSample()
_READERS: dict[str, Callable[[bytes], EngineSample]] = {
    "vllm": vllm.read,
    "sglang": sglang.read,
    "trtllm": trtllm.read,
    "llamacpp": llamacpp.read,
    "oip": triton.read,
}


def read_metrics(kind: str, text: bytes) -> EngineSample:
    """What a page of an engine of that kind tells; never raises.

    A figure that is absent, negative, NaN, infinite or malformed is None: unknown, neither full nor
    empty. Kinds without metrics tell nothing.
    """
    reader = _READERS.get(kind)
    return reader(text) if reader else _NOTHING
