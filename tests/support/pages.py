"""What do pages of real engines look like? (Written after their documented formats, shortened.)"""

VLLM_LABELS = 'engine="{rank}",model_name="meta-llama/Llama-3.1-8B-Instruct"'


def _histogram(name: str, labels: str, bounds: list[float]) -> list[str]:
    lines = [f"# HELP {name} Histogram of {name}.", f"# TYPE {name} histogram"]
    lines += [f'{name}_bucket{{{labels},le="{bound}"}} 12.0' for bound in bounds]
    lines += [f'{name}_bucket{{{labels},le="+Inf"}} 12.0', f"{name}_count{{{labels}}} 12.0"]
    return [*lines, f"{name}_sum{{{labels}}} 4.2"]


def _family(name: str, kind: str, samples: list[str]) -> list[str]:
    return [f"# HELP {name} Text about {name}.", f"# TYPE {name} {kind}", *samples]


def vllm(ranks: int = 1, *, old: bool = False, histograms: int = 3) -> bytes:
    """A page of vLLM: `old` = names before 0.10; rank r has r + 3 running, r + 1 waiting."""
    usage = "vllm:gpu_cache_usage_perc" if old else "vllm:kv_cache_usage_perc"
    prefix = "vllm:gpu_prefix_cache" if old else "vllm:prefix_cache"
    labels = [VLLM_LABELS.format(rank=rank) for rank in range(ranks)]

    def gauge(name: str, kind: str, values: list[float]) -> list[str]:
        pairs = zip(labels, values, strict=True)
        return _family(name, kind, [f"{name}{{{label}}} {value}" for label, value in pairs])

    every = range(ranks)
    cache = 'block_size="16",cache_dtype="auto",enable_prefix_caching="True",engine="{}",'
    cache += 'num_cpu_blocks="None",num_gpu_blocks="{}",sliding_window="None"'
    lines = [
        *_family("python_gc_objects_collected_total", "counter", ["python_gc_x 1.0"]),
        *gauge("vllm:num_requests_running", "gauge", [rank + 3.0 for rank in every]),
        *gauge("vllm:num_requests_waiting", "gauge", [rank + 1.0 for rank in every]),
        *_family(
            "vllm:num_requests_waiting_by_reason",
            "gauge",
            [f'vllm:num_requests_waiting_by_reason{{{labels[0]},reason="capacity"}} 77.0'],
        ),
        *gauge(usage, "gauge", [0.25 + 0.5 * rank for rank in every]),
        *gauge(f"{prefix}_queries_total", "counter", [1000.0 for _ in every]),
        *gauge(f"{prefix}_queries_created", "gauge", [1.7e9 for _ in every]),
        *gauge(f"{prefix}_hits_total", "counter", [400.0 for _ in every]),
        *gauge("vllm:num_preemptions_total", "counter", [2.0 for _ in every]),
        *gauge("vllm:num_preemptions_created", "gauge", [1.7e9 for _ in every]),
        *_family(
            "vllm:cache_config_info",
            "gauge",
            [f"vllm:cache_config_info{{{cache.format(rank, 1000)}}} 1.0" for rank in every],
        ),
    ]
    for number in range(histograms):
        lines += _histogram(f"vllm:h{number}_seconds", labels[0], [0.001 * 2**i for i in range(24)])
    return ("\n".join(lines) + "\n").encode()


SGLANG = b"""\
# HELP sglang:prompt_tokens_total Number of prefill tokens processed.
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct"} 8.128902e+06
# HELP sglang:cached_tokens_total Number of cached prompt tokens.
# TYPE sglang:cached_tokens_total counter
sglang:cached_tokens_total{cache_source="device",\
model_name="meta-llama/Llama-3.1-8B-Instruct"} 4e+06
sglang:cached_tokens_total{cache_source="host",model_name="meta-llama/Llama-3.1-8B-Instruct"} 5e+05
# HELP sglang:token_usage The token usage
# TYPE sglang:token_usage gauge
sglang:token_usage{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 0.28
# HELP sglang:num_running_reqs The number of running requests
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 162.0
# HELP sglang:num_queue_reqs The number of requests in the waiting queue
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 2826.0
# HELP sglang:num_retracted_requests_total Total number of retracted requests.
# TYPE sglang:num_retracted_requests_total counter
sglang:num_retracted_requests_total{engine_type="unified",model_name="m",tp_rank="0"} 6.0
# HELP sglang:max_total_num_tokens Maximum total number of tokens in the KV cache pool.
# TYPE sglang:max_total_num_tokens gauge
sglang:max_total_num_tokens{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 440000.0
# HELP sglang:page_size KV cache page size.
# TYPE sglang:page_size gauge
sglang:page_size{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 64.0
"""

TRTLLM = b"""\
# HELP trtllm_request_success_total Count of successfully processed requests.
# TYPE trtllm_request_success_total counter
trtllm_request_success_total{engine_type="trtllm",finished_reason="stop",model_name="m"} 9.0
# HELP trtllm_num_requests_running Requests running.
# TYPE trtllm_num_requests_running gauge
trtllm_num_requests_running{engine_type="trtllm",model_name="m"} 5.0
# HELP trtllm_num_requests_waiting Requests waiting.
# TYPE trtllm_num_requests_waiting gauge
trtllm_num_requests_waiting{engine_type="trtllm",model_name="m"} 3.0
# HELP trtllm_kv_cache_utilization KV cache utilization.
# TYPE trtllm_kv_cache_utilization gauge
trtllm_kv_cache_utilization{engine_type="trtllm",model_name="m"} 0.6
# HELP trtllm_kv_cache_max_blocks Blocks.
# TYPE trtllm_kv_cache_max_blocks gauge
trtllm_kv_cache_max_blocks{engine_type="trtllm",model_name="m"} 1000.0
# HELP trtllm_kv_cache_tokens_per_block Tokens per block.
# TYPE trtllm_kv_cache_tokens_per_block gauge
trtllm_kv_cache_tokens_per_block{engine_type="trtllm",model_name="m"} 64.0
# HELP trtllm_kv_cache_reused_blocks_total Reused blocks.
# TYPE trtllm_kv_cache_reused_blocks_total counter
trtllm_kv_cache_reused_blocks_total{engine_type="trtllm",model_name="m"} 30.0
# HELP trtllm_kv_cache_missed_blocks_total Missed blocks.
# TYPE trtllm_kv_cache_missed_blocks_total counter
trtllm_kv_cache_missed_blocks_total{engine_type="trtllm",model_name="m"} 70.0
"""

TRITON_TRTLLM = b"""\
# HELP nv_trt_llm_request_metrics TRT LLM request metrics
# TYPE nv_trt_llm_request_metrics gauge
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 4
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="context",version="1"} 1
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="scheduled",version="1"} 7
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 512
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="active",version="1"} 11
# HELP nv_trt_llm_kv_cache_block_metrics TRT LLM KV cache block metrics
# TYPE nv_trt_llm_kv_cache_block_metrics gauge
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",\
model="tensorrt_llm",version="1"} 0.5
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="tokens_per",\
model="tensorrt_llm",version="1"} 64
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="used",model="tensorrt_llm",version="1"} 3000
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="free",model="tensorrt_llm",version="1"} 3000
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max",model="tensorrt_llm",version="1"} 6000
"""

TRITON = b"""\
# HELP nv_inference_exec_count Number of model executions performed
# TYPE nv_inference_exec_count counter
nv_inference_exec_count{model="resnet",version="1"} 912
# HELP nv_inference_pending_request_count Instantaneous number of pending requests per-model.
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="resnet",version="1"} 3
nv_inference_pending_request_count{model="bert",version="2"} 2
"""

MLSERVER = b"""\
# HELP rest_server_requests_in_progress Gauge of requests by method and path currently being\
 processed
# TYPE rest_server_requests_in_progress gauge
rest_server_requests_in_progress{app_name="mlserver",method="GET"} 1.0
rest_server_requests_in_progress{app_name="mlserver",method="POST"} 2.0
"""

LLAMACPP = b"""\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 1000
# HELP llamacpp:kv_cache_usage_ratio KV-cache usage. 1 means 100 percent usage.
# TYPE llamacpp:kv_cache_usage_ratio gauge
llamacpp:kv_cache_usage_ratio 0.63
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 1
"""
