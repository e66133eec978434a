"""How many CPU seconds does Vidur take for a trace? (Run by the Python of its own environment.)

    .envs/vidur/bin/python bench/rival_vidur.py TRACE.csv REPLICAS

Its own events, schedulers and metrics. Its operator profiles are fetched from a public hub and its
forests trained on them for minutes; here a linear step takes their place, about that of an H100
and an 8B model, so that the figure is Vidur at its quickest: neither training nor a look-up is in
it. The figure goes to stdout as JSON.
"""

import json
import sys
import tempfile
import time
from typing import Any

from vidur.config import SimulationConfig
from vidur.execution_time_predictor import (
    base_execution_time_predictor,
    execution_time_predictor_registry,
)
from vidur.simulator import Simulator
from vidur.types import ExecutionTimePredictorType

BASE = base_execution_time_predictor.BaseExecutionTimePredictor
LAYERS = 32
# ms: 6.7 + 0.088 per decoding request (vLLM, Llama-3.1-8B on one H100), and 0.025 per prompt token.
STEP_MS, REQUEST_MS, PROMPT_TOKEN_MS = 6.7, 0.088, 0.025
BATCH_MAX, CHUNK_TOKENS = 256, 2048
TOKENS_MAX = 131_072
DATE = "d1"  # what the trace's column Date holds


def _nothing(self: Any, batch: Any) -> float:
    return 0.0


def _layer_ms(self: Any, batch: Any) -> float:
    tokens = sum(batch.num_q_tokens)
    waiting = tokens - len(batch.num_q_tokens)
    step = STEP_MS + REQUEST_MS * len(batch.num_q_tokens) + PROMPT_TOKEN_MS * waiting
    return step / LAYERS


METHODS = dict.fromkeys(BASE.__abstractmethods__, _nothing)
METHODS["_get_mlp_layer_up_proj_execution_time"] = _layer_ms
Linear = type("Linear", (BASE,), METHODS)


def main(trace: str, replicas: str) -> None:
    """One run of all requests (Vidur asserts that none is left); CPU seconds of run and making."""
    registry = execution_time_predictor_registry.ExecutionTimePredictorRegistry
    registry.unregister(ExecutionTimePredictorType.RANDOM_FORREST)
    registry.register(ExecutionTimePredictorType.RANDOM_FORREST, Linear)
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [
            "vidur", "--log_level", "error", "--cluster_config_num_replicas", replicas,
            "--replica_config_num_pipeline_stages", "1",
            "--replica_config_tensor_parallel_size", "1",
            "--request_generator_config_type", "trace_replay",
            "--trace_request_generator_config_trace_file", trace,
            "--trace_request_generator_config_date", DATE,
            "--trace_request_generator_config_prefill_scale_factor", "1",
            "--trace_request_generator_config_decode_scale_factor", "1",
            "--trace_request_generator_config_time_scale_factor", "1",
            "--trace_request_generator_config_max_tokens", str(TOKENS_MAX),
            "--global_scheduler_config_type", "lor",
            "--replica_scheduler_config_type", "sarathi",
            "--sarathi_scheduler_config_batch_size_cap", str(BATCH_MAX),
            "--sarathi_scheduler_config_chunk_size", str(CHUNK_TOKENS),
            "--metrics_config_output_dir", folder, "--no-metrics_config_store_plots",
            "--no-metrics_config_write_metrics", "--no-metrics_config_enable_chrome_trace",
            "--no-metrics_config_write_json_trace",
        ]  # fmt: skip
        config = SimulationConfig.create_from_cli_args()
        begun = time.process_time()
        simulator = Simulator(config)
        made = time.process_time()
        simulator.run()
        spent = time.process_time() - made
    print(json.dumps({"cpu_s": spent, "making_s": made - begun}))


if __name__ == "__main__":
    main(*sys.argv[1:])
