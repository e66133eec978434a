"""Are stages judged by profiles that did not see them, and overloaded ones left out?"""

import pytest
from msgspec.structs import replace

from flyball.dialects.benchlog import StageRow
from flyball.sim.calibrate import stage_means, straight
from flyball.sim.physics import profile_of
from flyball.sim.validate.figures import lines
from flyball.sim.validate.stages import judge_stages


def silent(text: str) -> None:
    del text


def made(rate: float, prompt: int) -> StageRow:
    row = StageRow("vllm", "llama-3.1-8b", "H100-SXM", 1, "w", rate, prompt, 80, 1, 2, 0, 128, 2048)
    truth = straight(profile_of("H100-SXM", "llama-3.1-8b", seqs_max=128, step_tokens_max=2048))
    ttft, e2e = stage_means(truth, row)
    return replace(row, ttft_s=ttft, e2e_s=e2e)


def test_made_stages_are_met() -> None:
    rows = [made(1, 300), made(4, 300), made(8, 500)]
    report = judge_stages([*rows, replace(rows[0], failed=7)], silent)
    assert report.notes[0].startswith("1 stages left out")
    for line in lines(report.figures):
        assert (line.split, line.rows) == ("judged", 3)
        assert line.median < 0.1, line


def test_too_few_stages_are_said() -> None:
    with pytest.raises(ValueError, match="three stages"):
        judge_stages([made(1, 300)], silent)
