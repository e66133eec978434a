"""Are shares over all calls, latencies over served ones, and equal runs equal?"""

import numpy as np
import pytest
from msgspec.structs import replace

from flyball.dialects.traces.row import TraceRow
from flyball.model.request import Promise, RequestClass
from flyball.sim.exchange import Call, End
from flyball.sim.outcomes import Outcomes
from flyball.sim.report import Spread, class_reports, spread
from support.markup import Cells
from support.worlds import ran

FAST = RequestClass(name="fast", value_usd=2.0, promise=Promise(ttft_s=0.5))
SLOW = RequestClass(name="slow", value_usd=1.0)


def call(number: int, klass: RequestClass, end: End, ttft_s: float, sent_at: float = 10.0) -> Call:
    row = TraceRow(at_s=sent_at, input_tokens=100, output_tokens=11)
    made = Call(number, row, klass, sent_at)
    made.end, made.tries = end, 1
    if end == "served":
        made.first_at, made.done_at = sent_at + ttft_s, sent_at + ttft_s + 1.0
        made.output_tokens, made.cached_tokens = 11, 40
    return made


def outcomes() -> Outcomes:
    kept = Outcomes((FAST, SLOW))
    kept.ended(call(2, FAST, "refused", 0.0))
    kept.ended(call(0, FAST, "served", 0.2))
    kept.ended(call(1, FAST, "served", 0.8))
    kept.ended(call(3, SLOW, "served", 5.0))
    kept.ended(call(4, SLOW, "served", 9.0, sent_at=1.0))
    return kept


def test_shares_count_all_calls_after_the_warm_up() -> None:
    total, classes = class_reports(outcomes().arrays(), (FAST, SLOW), 5.0, 20.0)
    fast, slow = classes
    assert (total.calls, fast.calls, slow.calls) == (4, 3, 1)
    assert fast.in_time_ratio == pytest.approx(1 / 3)
    assert fast.served_ratio == pytest.approx(2 / 3)
    assert fast.ends["refused"] == 1
    assert fast.goodput_rps == pytest.approx(1 / 20)
    assert (fast.value_usd, fast.value_missed_usd) == (2.0, 4.0)
    assert fast.ttft_s.mean == pytest.approx(0.5)
    assert total.tpot_s.p50 == pytest.approx(0.1)
    assert fast.cached_ratio == pytest.approx(0.4)


def test_a_class_without_calls_is_left_out() -> None:
    kept = Outcomes((FAST, SLOW))
    kept.ended(call(0, SLOW, "served", 1.0))
    total, classes = class_reports(kept.arrays(), (FAST, SLOW), 0.0, 10.0)
    assert [one.name for one in classes] == ["slow"]
    assert total.calls == 1


def test_no_calls_at_all_are_a_report_of_zeros() -> None:
    total, classes = class_reports(Outcomes((FAST,)).arrays(), (FAST,), 0.0, 10.0)
    assert (total.calls, total.in_time_ratio, classes) == (0, 0.0, ())
    assert total.ttft_s == Spread()


def test_percentiles_are_numpy_s() -> None:
    values = np.arange(101.0)
    found = spread(values)
    assert (found.p50, found.p90, found.p99, found.max, found.mean) == (50, 90, 99, 100, 50)


def test_a_notebook_shows_the_report_s_own_figures() -> None:
    made = ran(duration_s=5)
    report = made.report
    shown = Cells.read(report._repr_html_())
    assert made._repr_html_() == report._repr_html_()
    assert shown.captions == ["Classes", "Pools", "Cost"]
    by_name = {row[0]: row for row in shown.rows}
    total = report.total
    assert by_name["all"][1:4] == [
        f"{total.calls:,}", f"{total.in_time_ratio:.2%}", f"{total.goodput_rps:,.2f}"
    ]  # fmt: skip
    assert {"h100", "l40s"} <= set(by_name)
    assert by_name[f"{report.execution_error_usd:,.2f}"][2] == f"{report.machine_usd:,.2f}"
    assert "INVARIANTS" not in report._repr_html_()
    broken = replace(report, name="<x>", breaches=("r1: lost",), breaches_count=1)
    assert "INVARIANTS BROKEN: 1" in broken._repr_html_()
    assert "&lt;x&gt;" in broken._repr_html_()
