"""Is each run fitted on its first half and judged on its second, and how near on real engines?"""

import csv
from pathlib import Path

import numpy as np
import pytest

from flyball.dialects.benchlog import RequestRow, request_rows
from flyball.dialects.profiles import profile
from flyball.sim.measure import Ask, open_loop
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import lines
from flyball.sim.validate.requests import judge_requests


def silent(text: str) -> None:
    del text


def made(count: int) -> list[RequestRow]:
    rng = np.random.default_rng(2)  # seed 2
    load = [
        Ask(0.1 * i, int(rng.integers(50, 900)), int(rng.integers(5, 90))) for i in range(count)
    ]
    seen = open_loop(profile("l40s/llama-3.1-8b"), load)
    return [
        RequestRow("r", ask.at, ask.input_tokens, ask.output_tokens, float(a), float(b))
        for ask, a, b in zip(load, seen.ttft_s, seen.e2e_s, strict=True)
    ]


def test_a_made_run_is_met_on_the_half_left_out() -> None:
    report = judge_requests(made(160), {"": profile("h100/llama-3.1-8b")}, silent)
    judged = {one.figure: one for one in lines(report.figures) if one.split == "judged"}
    assert judged["E2E, each"].rows == 80
    assert judged["E2E mean"].worst < 0.05
    assert judged["TPOT mean"].worst < 0.05


def test_too_few_requests_or_no_start_are_said() -> None:
    with pytest.raises(ValueError, match="needs a start profile and at least 20 requests"):
        judge_requests(made(10), {"": profile("h100/llama-3.1-8b")}, silent)
    with pytest.raises(ValueError, match="needs a start profile"):
        judge_requests(made(30), {"other": profile("h100/llama-3.1-8b")}, silent)


def test_real_engines_within_the_stated_bounds(real_data: Path) -> None:
    file = real_data / "vllm_per_request" / "requests.csv"
    if not file.is_file():
        pytest.skip("no vllm_per_request among the data sets")
    with file.open() as stream:
        rows = request_rows(csv.DictReader(stream), file.name)
    limits = {"seqs_max": 128, "step_tokens_max": 2048}
    starts = {
        "RTXPRO6000/Llama-3.1-8B": profile_of("RTX-PRO-6000", "llama-3.1-8b", 1, **limits),
        "RTXPRO6000/Qwen3-32B": profile_of("RTX-PRO-6000", "qwen3-32b", 2, **limits),
    }
    report = judge_requests(rows, starts, silent)
    for line in lines(report.figures):
        if line.split == "judged" and line.figure.endswith(("mean", "p99")):
            bound = {"TTFT mean": 0.06, "TTFT p99": 0.08, "TPOT p99": 0.05}.get(line.figure, 0.03)
            assert line.worst <= bound, line
