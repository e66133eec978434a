"""Is the alert of the demo's last part given every advantage, and is the order told as it was?"""

from msgspec.structs import replace

from flyball.cli.demo_cliff import ANSWERS_MIN, RATE_TO, SECONDS, TTFT_S, Cliff, alert, rows, told
from flyball.serve.load.report import Answer

FINDING = {
    "code": "FB-509",
    "kind": "load margin",
    "loops": ["openai-sdk"],
    "summary": "openai-sdk: there is little room",
    "evidence": [{"what": "load margin", "value": 0.9}],
}


def answers(good: int, bad: int, late_s: float = 6.0) -> list[Answer]:
    """Ten a second: first the good ones, then those that miss and end `late_s` after their due."""
    return [
        Answer(
            number=number,
            class_name="chat",
            due_s=0.1 * number,
            result="answered",
            code="",
            status=200,
            retries=0,
            ttft_s=0.1,
            tpot_s=0.0,
            input_tokens=500,
            cached_tokens=0,
            output_tokens=8,
            events=9,
            request_id="",
            e2e_s=0.2 if number < good else late_s,
            in_time=number < good,
        )
        for number in range(good + bad)
    ]


def test_a_miss_counts_from_the_moment_its_promise_passed() -> None:
    found = alert(answers(30, 20), 99.0)
    assert found is not None
    at, missed, known = found
    assert missed == 6 and known == 36, "the first share above 14.4 x 1 %"
    assert abs(at - (0.1 * 35 + TTFT_S)) < 1e-9, "not when the answer came"


def test_few_answers_few_misses_and_what_comes_too_late_raise_none() -> None:
    assert alert(answers(0, ANSWERS_MIN - 1), 99.0) is None
    assert alert(answers(95, 5), 99.0) is None
    assert alert(answers(30, 20), 4.0) is None
    cut_off = [replace(one, result="stopped") for one in answers(0, 50)]
    assert alert(cut_off, 99.0) is None, "its first token came in time, and no more is known"


def test_the_order_is_told_as_it_was() -> None:
    some = answers(30, 20)
    first = told(Cliff(found_s=3.0, finding=FINDING, answers=some, until_s=9.0))
    assert "the finding came 1.5 s before the alert" in first
    assert first.index("FB-509") < first.index("SLO alert")
    last = told(Cliff(found_s=6.0, finding=FINDING, answers=some, until_s=9.0))
    assert "the finding came 1.5 s after the alert" in last
    assert "no finding came" in told(Cliff(answers=some, until_s=9.0))
    assert "no alert came" in told(Cliff(found_s=3.0, finding=FINDING, answers=[], until_s=9.0))


def test_the_load_rises_and_is_the_same_for_a_seed() -> None:
    found = rows(7)
    assert [one.at_s for one in found] == [one.at_s for one in rows(7)] != rows(8)
    early = sum(one.at_s < SECONDS / 2 for one in found)
    assert early < len(found) - early and found[-1].at_s < SECONDS
    assert len(found) < RATE_TO * SECONDS
