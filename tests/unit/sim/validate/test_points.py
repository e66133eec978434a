"""Is each point predicted from data sheets, put in its split, or left out with a reason?"""

from msgspec.structs import replace

from flyball.dialects.benchlog import PointRow
from flyball.dialects.sheets import efficiencies
from flyball.model.hardware import Layout
from flyball.sim.validate.points import distinct, judge_points, predicted

POINT = PointRow("llama-3.1-70b", "H100-SXM", "fp8", "vllm", Layout(4), 1024, 128, 8, 0.1, 0.012)


def silent(text: str) -> None:
    del text


def test_a_point_is_judged_on_three_figures() -> None:
    ttft, tpot = predicted(POINT, efficiencies()["vllm"])
    report = judge_points([POINT], silent)
    assert [one.figure for one in report.figures] == ["TTFT", "TPOT", "E2E"]
    assert report.figures[0].predicted == ttft
    assert report.figures[1].predicted == tpot
    assert abs(report.figures[1].error) < 0.5


def test_the_split_is_said_of_each_figure() -> None:
    here = judge_points([POINT, replace(POINT, accelerator="B200")], silent).figures
    assert [one.split for one in here] == ["judged"] * 3 + ["fit"] * 3


def test_a_measurement_under_two_names_counts_once() -> None:
    one = replace(POINT, model="deepseek-r1", accelerator="B200", layout=Layout(8))
    twice = [one, replace(one, model="deepseek-v3"), replace(one, concurrency=9)]
    assert distinct(twice) == [twice[0], twice[2]]
    assert any("listed twice" in note for note in judge_points(twice, silent).notes)


def test_a_first_token_held_back_is_late_by_so_many_steps() -> None:
    reached = replace(efficiencies()["vllm"], held_steps=0.0)
    early, tpot = predicted(POINT, reached)
    late, same = predicted(POINT, replace(reached, held_steps=10.0))
    assert same == tpot
    assert abs(late - early - 10.0 * tpot) < 1e-9


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
