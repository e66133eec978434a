"""What does the emulated engine's /metrics page say? (Names: docs.vllm.ai, usage/metrics.)"""

from bisect import bisect_left

from flyball.model.plant import PlantState
from flyball.units import Seconds, Tokens

# Bucket bounds of vLLM's own histograms, thinned (`vllm/v1/metrics/loggers.py`).
_LATENCY = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 240.0)
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)


class Histogram:
    """Cumulative buckets, a sum and a count, as Prometheus wants them."""

    def __init__(self, name: str, text: str, bounds: tuple[float, ...]) -> None:
        self.name = name
        self.text = text
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, labels: str) -> list[str]:
        """The exposition lines."""
        lines = [f"# HELP {self.name} {self.text}", f"# TYPE {self.name} histogram"]
        total = 0
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            lines.append(f'{self.name}_bucket{{{labels},le="{bound}"}} {total}')
        lines.append(f"{self.name}_count{{{labels}}} {total}")
        lines.append(f"{self.name}_sum{{{labels}}} {self.sum}")
        return lines


class Meters:
    """Counts what was served. Seconds are those of the wall clock, as a scraper would see them."""

    def __init__(self, model: str, block_tokens: Tokens, prefix_cache: bool) -> None:
        self.labels = f'engine="0",model_name="{model}"'
        self.block_tokens = block_tokens
        self.prefix_cache = prefix_cache
        self.finished: dict[str, int] = {"stop": 0, "length": 0, "abort": 0}
        self.e2e = Histogram(
            "vllm:e2e_request_latency_seconds", "End to end request latency.", _LATENCY
        )
        self.first = Histogram(
            "vllm:time_to_first_token_seconds", "Time from arrival to the first token.", _FIRST
        )
        self.per_token = Histogram(
            "vllm:request_time_per_output_token_seconds", "Mean time per output token.", _TOKEN
        )
        self.queued = Histogram(
            "vllm:request_queue_time_seconds", "Time spent waiting for admission.", _LATENCY
        )

    def served(
        self, reason: str, queued_s: Seconds, ttft_s: Seconds, e2e_s: Seconds, tokens: Tokens
    ) -> None:
        """Count one finished request."""
        self.finished[reason] = self.finished.get(reason, 0) + 1
        self.queued.observe(queued_s)
        self.e2e.observe(e2e_s)
        if tokens:
            self.first.observe(ttft_s)
        if tokens > 1:
            self.per_token.observe((e2e_s - ttft_s) / (tokens - 1))

    def page(self, state: PlantState) -> str:
        """The whole page, Prometheus text format 0.0.4."""
        labels = self.labels
        lines: list[str] = []
        for name, kind, value in (
            ("num_requests_running", "gauge", state.running),
            ("num_requests_waiting", "gauge", state.waiting),
            ("kv_cache_usage_perc", "gauge", state.kv_usage),
            ("prefix_cache_queries_total", "counter", state.prefix_query_tokens),
            ("prefix_cache_hits_total", "counter", state.prefix_hit_tokens),
            ("num_preemptions_total", "counter", state.preemptions),
            ("prompt_tokens_total", "counter", state.prompt_tokens),
            ("generation_tokens_total", "counter", state.output_tokens),
        ):
            lines.append(f"# TYPE vllm:{name} {kind}")
            lines.append(f"vllm:{name}{{{labels}}} {value}")
        lines.append("# TYPE vllm:cache_config_info gauge")
        lines.append(
            f'vllm:cache_config_info{{engine="0",block_size="{self.block_tokens}",'
            f'num_gpu_blocks="{state.kv_blocks_max}",'
            f'enable_prefix_caching="{self.prefix_cache}"}} 1'
        )
        lines.append("# TYPE vllm:request_success_total counter")
        for reason, count in self.finished.items():
            lines.append(
                f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {count}'
            )
        for histogram in (self.first, self.per_token, self.e2e, self.queued):
            lines += histogram.lines(labels)
        return "\n".join(lines) + "\n"
