"""Are the five layouts told apart, read in SI units, and mistakes named with their place?"""

import pytest

from flyball.dialects import benchlog
from flyball.model.hardware import Layout


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ("arrival_s input_tokens output_tokens ttft_ms e2e_ms", "per-request"),
        ("run queued_s first_token_s last_token_s", "per-request"),
        ("model rate_rps ttft_mean_ms e2e_mean_ms", "stages"),
        ("model_path concurrency silicon_ttft_ms silicon_tpot_ms", "points"),
        ("round scenario tokens_per_s", "mlperf"),
        ("model_id avg_power_watts avg_batch_size", "power"),
    ],
)
def test_a_layout_is_known_by_its_columns(columns: str, kind: str) -> None:
    assert benchlog.kind_of(columns.split()) == kind


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(benchlog.BenchError, match="no layout has the columns"):
        benchlog.kind_of(["a", "b"])


def test_requests_in_absolute_and_in_relative_times() -> None:
    absolute = {"queued_s": "2", "input_tokens": "9", "output_tokens": "5",
                "first_token_s": "2.5", "last_token_s": "3"}  # fmt: skip
    relative = {"arrival_ms": "1000", "prompt_tokens": 9, "completion_tokens": 5,
                "ttft_ms": "500", "e2e_ms": "1000"}  # fmt: skip
    rows = benchlog.request_rows([absolute, relative], "t.csv")
    assert [(row.at_s, row.ttft_s, row.e2e_s) for row in rows] == [(1, 0.5, 1.0), (2, 0.5, 1.0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ttft_s": "x"}, r"t\.csv, row 1: ttft_s 'x' is no number"),
        ({"ttft_s": "nan"}, "ttft_s is nan"),
        ({"ttft_s": "9"}, "first token"),
        ({"input_tokens": "0"}, "0 input tokens"),
        ({"output_tokens": "0"}, "no request has an answer"),
        ({"e2e_s": ""}, "one of the columns e2e_s"),
    ],
)
def test_a_figure_that_makes_no_sense_is_named(change: dict[str, str], message: str) -> None:
    row = {"arrival_s": "0", "input_tokens": "9", "output_tokens": "5", "ttft_s": "1", "e2e_s": "2"}
    with pytest.raises(benchlog.BenchError, match=message):
        benchlog.request_rows([row | change], "t.csv")


def test_a_point_with_its_layout() -> None:
    row = {"model_path": "meta-llama/Llama-3.1-70B", "system": "b200_sxm", "precision": "nvfp4",
           "backend": "vllm", "tp_size": "4.0", "attention_dp_size": "4.0", "isl": "1024",
           "osl": "128", "concurrency": "16.0", "silicon_ttft_ms": "50",
           "silicon_tpot_ms": "8"}  # fmt: skip
    (point,) = benchlog.point_rows([row], "p")
    assert (point.model, point.accelerator, point.precision) == ("llama-3.1-70b", "B200", "fp4")
    assert point.layout == Layout(1, 4)
    assert (point.ttft_s, point.tpot_s) == (0.05, 0.008)
    assert benchlog.point_rows([row | {"mode": "disagg"}], "p") == []
    assert benchlog.point_rows([row | {"concurrency": ""}], "p") == []
    whole = {"tp_size": "64", "attention_dp_size": "1", "moe_tp_size": "8", "moe_ep_size": "8"}
    assert benchlog.point_rows([row | whole], "p")[0].layout == Layout(8)
    assert benchlog.point_rows([row | {"attention_dp_size": ""}], "p")[0].layout == Layout(4)


def test_a_point_says_of_what_its_figures_are_averages() -> None:
    row = {"model": "Qwen3-8B", "gpu": "H100", "isl": "100", "osl": "50", "concurrency": "8"}
    (usual,) = benchlog.point_rows([row | {"ttft_ms": "9", "tpot_ms": "2"}], "p")
    assert (usual.waves, usual.medians) == (10.0, False)
    told = {"median_ttft_ms": "9", "median_tpot_ms": "2", "num_prompts": "400"}
    (asked,) = benchlog.point_rows([row | told], "p")
    assert (asked.waves, asked.medians, asked.ttft_s) == (50.0, True, 0.009)
    (short,) = benchlog.point_rows([row | told | {"num_prompts": "4"}], "p")
    assert short.waves == 1.0


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("NVIDIA H100-SXM-80GB", "H100-SXM"), ("NVIDIA H100-NVL-94GB", ""), ("H100", "H100-SXM"),
        ("NVIDIA GH200 Grace Hopper", ""), ("NVIDIA GB200", "GB200"), ("h200_sxm", "H200-SXM"),
        ("AMD Instinct MI300X 192GB HBM3", "MI300X"), ("Arc Pro B60 DUAL 48G", ""),
        ("b300_sxm", "B300"), ("L40S", "L40S"),
    ],
)  # fmt: skip
def test_accelerators_by_others_wordings(said: str, name: str) -> None:
    assert benchlog.accelerator_of(said) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("llama2-70b-99.9", "llama-2-70b"), ("llama3_1-8b", "llama-3.1-8b"),
        ("Qwen/Qwen3-235B-A22B-FP8", "qwen3-235b-a22b"),
        ("nvidia/DeepSeek-R1-NVFP4", "deepseek-r1"),
        ("codellama/CodeLlama-34b-Instruct-hf", "codellama-34b"), ("gptj-99", ""),
    ],
)  # fmt: skip
def test_models_by_others_wordings(said: str, name: str) -> None:
    assert benchlog.architecture_of(said) == name


def test_power_without_a_column_of_joules() -> None:
    row = {"model_id": "x/Y-1", "gpu_model": "H100", "num_gpus": "2", "batch": "8",
           "watts": "1000", "tokens_per_s": "500"}  # fmt: skip
    (power,) = benchlog.power_rows([row], "p")
    assert (power.model, power.joules_per_token, power.count) == ("Y-1", 2.0, 2)
    with pytest.raises(benchlog.BenchError, match="above 0"):
        benchlog.power_rows([row | {"watts": "0"}], "p")


def test_stages_and_capacity() -> None:
    stage = {"model": "meta-llama/Llama-2-7b-hf", "gpu": "H100-80GB", "tp": "1", "rate_rps": "5",
             "prompt_len_mean": "100", "output_len_mean": "20", "ttft_mean_ms": "25",
             "e2e_mean_ms": "250", "n_fail": "3"}  # fmt: skip
    (row,) = benchlog.stage_rows([stage], "s")
    assert (row.model, row.ttft_s, row.e2e_s, row.failed) == ("llama-2-7b", 0.025, 0.25, 3)
    result = {"round": "v5.1", "framework": "TensorRT 10.11, CUDA", "model": "llama2-70b-99",
              "accelerator": "NVIDIA B200-SXM-180GB", "acc_per_node": "8", "nodes": "2",
              "scenario": "Server", "tokens_per_s": "1e5", "ttft_limit_ms": "2000",
              "tpot_limit_ms": "200"}  # fmt: skip
    (capacity,) = benchlog.capacity_rows([result], "m")
    assert (capacity.engine, capacity.count, capacity.scenario) == ("trtllm", 16, "server")
    assert capacity.tpot_s_max == 0.2


def test_runs_are_kept_apart() -> None:
    base = {"input_tokens": "9", "output_tokens": "5", "ttft_s": "1", "e2e_s": "2"}
    rows = benchlog.request_rows(
        [base | {"run": "b", "arrival_s": "0"}, base | {"run": "a", "arrival_s": "1"}], "t"
    )
    assert {run: len(own) for run, own in benchlog.runs_of(rows).items()} == {"a": 1, "b": 1}
