"""Is each point predicted from data sheets, put in its split, or left out with a reason?"""

from msgspec.structs import replace

from flyball.dialects.benchlog import PointRow
from flyball.model.hardware import Layout
from flyball.sim.validate.points import judge_points, predicted, split_of

POINT = PointRow("llama-3.1-70b", "H100-SXM", "fp8", "vllm", Layout(4), 1024, 128, 8, 0.1, 0.012)


def silent(text: str) -> None:
    del text


def test_a_point_is_judged_on_three_figures() -> None:
    ttft, tpot = predicted(POINT)
    report = judge_points([POINT], silent)
    assert [one.figure for one in report.figures] == ["TTFT", "TPOT", "E2E"]
    assert report.figures[0].predicted == ttft
    assert report.figures[1].predicted == tpot
    assert abs(report.figures[1].error) < 0.5


def test_the_split_is_by_accelerator_and_model() -> None:
    assert split_of(POINT) == "judged"
    assert split_of(replace(POINT, accelerator="B200")) == "fit"
    assert split_of(replace(POINT, accelerator="B200", model="kimi-k2.5")) == "judged"


def test_what_cannot_be_judged_is_counted() -> None:
    odd = [
        replace(POINT, model=""),
        replace(POINT, layout=Layout(1)),
        replace(POINT, layout=Layout(52)),
    ]
    report = judge_points(odd, silent)
    assert report.figures == []
    assert len(report.notes) == 3
    assert any("do not fit" in note for note in report.notes)
