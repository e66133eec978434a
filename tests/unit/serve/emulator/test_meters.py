"""Is the metrics page one that the project's own vLLM reader, and Prometheus, understand?"""

from flyball.dialects.vllm import read
from flyball.model.plant import PlantState
from flyball.serve.emulator.meters import Meters

STATE = PlantState(
    running=3, waiting=2, kv_usage=0.25, kv_blocks_used=25, kv_blocks_max=100,
    prefix_query_tokens=640, prefix_hit_tokens=64, preemptions=4, prompt_tokens=900,
    output_tokens=80, steps=50, busy_s=1.0, joules=2.0,
)  # fmt: skip


def test_the_page_reads_back() -> None:
    sample = read(Meters("m", 16, True).page(STATE).encode())
    assert (sample.running, sample.waiting, sample.kv_usage) == (3, 2, 0.25)
    assert (sample.block_tokens, sample.kv_tokens_max) == (16, 1600)
    assert (sample.prefix_queries, sample.prefix_hits, sample.preemptions) == (640, 64, 4)


def test_histograms_are_cumulative() -> None:
    meters = Meters("m", 16, True)
    meters.served("stop", 0.0, 0.05, 0.45, 9)
    meters.served("length", 0.0, 0.05, 500.0, 2)
    lines = meters.page(STATE).splitlines()
    e2e = [line for line in lines if line.startswith("vllm:e2e_request_latency_seconds")]
    assert 'vllm:e2e_request_latency_seconds_bucket{engine="0",model_name="m",le="0.3"} 0' in e2e
    assert 'vllm:e2e_request_latency_seconds_bucket{engine="0",model_name="m",le="0.5"} 1' in e2e
    assert 'vllm:e2e_request_latency_seconds_bucket{engine="0",model_name="m",le="+Inf"} 2' in e2e
    assert 'vllm:e2e_request_latency_seconds_sum{engine="0",model_name="m"} 500.45' in e2e
    assert 'vllm:request_success_total{engine="0",model_name="m",finished_reason="length"} 1' in (
        lines
    )
    mean = [line for line in lines if "per_output_token_seconds_sum" in line]
    assert mean[0].endswith(str(0.4 / 8 + 499.95))
