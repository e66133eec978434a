"""Is capacity the best steady batch within the limits, and each constant fitted on others only?"""

import pytest
from msgspec.structs import replace

from flyball.dialects.benchlog import CapacityRow
from flyball.sim.validate.capacity import capacity, judge_capacity, smallest_replica

ROW = CapacityRow("v5", "llama-2-70b", "H100-SXM", 8, "trtllm", "server", 30_000, 2.0, 0.2)


def silent(text: str) -> None:
    del text


def test_a_looser_limit_never_costs_capacity() -> None:
    found = [capacity(replace(ROW, tpot_s_max=limit), "trtllm") for limit in (0.02, 0.05, 0.2, 1.0)]
    assert found == sorted(found)
    assert found[-1] > found[0]
    assert capacity(replace(ROW, tpot_s_max=0.001), "trtllm") == 0.0


def test_the_replica_is_as_small_as_the_weights_allow() -> None:
    small = smallest_replica("H200-SXM", "llama-2-70b", "trtllm")
    large = smallest_replica("H100-SXM", "llama-2-70b", "trtllm")
    assert small is not None
    assert large is not None
    assert small.accelerators <= large.accelerators


def test_the_constant_comes_from_the_others() -> None:
    truth = {
        chip: capacity(replace(ROW, accelerator=chip), "trtllm") for chip in ("H100-SXM", "B200")
    }
    rows = [
        replace(ROW, accelerator=chip, tokens_per_s=0.5 * value * 8)
        for chip, value in truth.items()
    ]
    report = judge_capacity(rows, silent)
    assert [one.error for one in report.figures] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert "ranking: 1 of 1" in report.notes[-1]


def test_the_best_of_several_submissions_counts_and_offline_does_not() -> None:
    rows = [
        ROW, replace(ROW, tokens_per_s=32_000.0),
        replace(ROW, scenario="offline", tokens_per_s=9e9),
        replace(ROW, accelerator="H200-SXM", tokens_per_s=40_000.0),
    ]  # fmt: skip
    report = judge_capacity(rows, silent)
    assert sorted(one.measured for one in report.figures) == [4000.0, 5000.0]


def test_an_engine_with_one_result_is_not_judged() -> None:
    report = judge_capacity([ROW], silent)
    assert report.figures == []
    assert "not judged" in report.notes[0]
