"""Are the step costs found again that made a log?"""

import numpy as np
import pytest
from msgspec.structs import replace

from flyball.dialects.benchlog import PointRow, RequestRow, StageRow
from flyball.dialects.profiles import profile
from flyball.model.hardware import Layout
from flyball.model.profile import Profile
from flyball.sim.calibrate import (
    DIALS,
    load_of,
    point_figures,
    stage_means,
    straight,
    to_points,
    to_requests,
    to_stages,
    turned,
)
from flyball.sim.measure import Ask, open_loop

TRUE = replace(profile("h100/llama-3.1-8b"), request_overhead_s=0.004)


def a_log(truth: Profile, count: int = 120) -> list[RequestRow]:
    seed = 4
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.exponential(0.05, count))
    load = [Ask(float(t), int(rng.integers(50, 1500)), int(rng.integers(20, 300))) for t in at]
    seen = open_loop(truth, load)
    return [
        RequestRow("r", ask.at, ask.input_tokens, ask.output_tokens, float(ttft), float(e2e))
        for ask, ttft, e2e in zip(load, seen.ttft_s, seen.e2e_s, strict=True)
    ]


def wrong(start: Profile) -> Profile:
    decode = replace(start.decode, base_s=start.decode.base_s * 1.5)
    mixed = replace(start.mixed, per_prefill_token_s=start.mixed.per_prefill_token_s * 0.6)
    return replace(start, decode=decode, mixed=mixed)


def test_a_log_of_requests_gives_its_costs_back() -> None:
    rows = a_log(TRUE)
    found = to_requests(wrong(TRUE), rows, [True] * len(rows))
    assert found.error < 0.02
    assert found.profile.decode.base_s == pytest.approx(TRUE.decode.base_s, rel=0.05)
    assert found.profile.mixed.per_prefill_token_s == pytest.approx(
        TRUE.mixed.per_prefill_token_s, rel=0.15
    )
    assert set(found.dials) == set(DIALS)
    assert [ask.at for ask in load_of(rows)] == [row.at_s for row in rows]


def test_requests_not_kept_do_not_count() -> None:
    rows = a_log(TRUE)
    spoilt = [row if i < 60 else replace(row, e2e_s=row.e2e_s * 9) for i, row in enumerate(rows)]
    keep = [i < 60 for i in range(len(rows))]
    assert to_requests(wrong(TRUE), spoilt, keep).error < 0.02


def stage(rate: float, prompt: float) -> StageRow:
    row = StageRow("vllm", "m", "a", 1, "w", rate, prompt, 100, 1.0, 2.0, 0, 0, 0)
    ttft, e2e = stage_means(TRUE, row)
    return replace(row, ttft_s=ttft, e2e_s=e2e)


def test_stages_and_points_are_met() -> None:
    stages = [stage(2, 300), stage(10, 300), stage(5, 900), stage(20, 600)]
    assert to_stages(wrong(TRUE), stages).error < 0.03
    points: list[PointRow] = []
    for concurrency, prompt in ((2, 300), (16, 300), (8, 1500), (32, 600)):
        row = PointRow("m", "a", "bf16", "vllm", Layout(), prompt, 60, concurrency, 1.0, 1.0)
        ttft, tpot = point_figures(TRUE, row)
        points.append(replace(row, ttft_s=ttft, tpot_s=tpot))
    assert to_points(wrong(TRUE), points).error < 0.05


def test_a_point_tells_means_of_the_whole_run_or_medians() -> None:
    row = PointRow("m", "a", "bf16", "vllm", Layout(), 1000, 300, 16, 1.0, 1.0)
    mean, _ = point_figures(TRUE, row)
    middle, _ = point_figures(TRUE, replace(row, medians=True))
    longer, _ = point_figures(TRUE, replace(row, waves=100.0))
    assert max(middle, longer) < mean


def test_an_engine_that_pauses_answers_for_prompts_starts_them_sooner() -> None:
    row = PointRow("m", "a", "bf16", "vllm", Layout(), 4000, 200, 64, 1.0, 1.0)
    mixing, paused = (point_figures(TRUE, replace(row, engine=e))[0] for e in ("vllm", "sglang"))
    assert paused < mixing


def test_dials_turn_what_they_name() -> None:
    bent = replace(TRUE, decode=replace(TRUE.decode, curve=((1.0, 0.001), (9.0, 0.0))))
    assert straight(bent).decode == TRUE.decode
    names = ("decode.base_s", "request_overhead_s")
    own = turned(TRUE, names, np.array([0.5, 0.25]), False)
    assert (own.decode.base_s, own.request_overhead_s) == (0.5, 0.25)
    assert own.mixed == TRUE.mixed
    assert turned(TRUE, names, np.array([0.5, 0.25]), True).mixed.base_s == 0.5
