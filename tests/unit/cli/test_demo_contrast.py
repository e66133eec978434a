"""Do the two columns say what the two reports hold, and the bars when it was lost?"""

import re
from time import perf_counter

from flyball.cli.demo_contrast import contrast, timeline
from flyball.serve.load.report import Answer, Ledger, Report


def answer(due_s: float, in_time: bool) -> Answer:
    return Answer(
        number=0, class_name="chat", due_s=due_s, result="answered", code="", status=200, retries=0,
        ttft_s=0.1, tpot_s=0.01, e2e_s=0.2, input_tokens=1, cached_tokens=0, output_tokens=1,
        events=1, in_time=in_time, request_id="",
    )  # fmt: skip


def report(sent: int) -> Report:
    ledger = Ledger("http://gateway", {}, perf_counter())
    for _ in range(sent):
        ledger.note_sent("chat", 0.0)
    return ledger.report()


def test_a_bar_per_second_is_the_share_in_time() -> None:
    halves = [answer(0.2, True), answer(0.9, True), answer(2.1, True), answer(2.9, False)]
    assert timeline(halves) == "█ ▄"
    assert timeline([answer(0.5, False)]) == " "
    assert timeline([]) == ""


def test_each_fleet_has_its_column() -> None:
    text = contrast(report(12), [answer(0.0, True)], report(7), [answer(0.0, False)])
    assert re.search(r"sent +12 +7$", text, re.MULTILINE)
    assert "governed     █" in text
    assert "least request" in text, "what stands in the other column is said"
