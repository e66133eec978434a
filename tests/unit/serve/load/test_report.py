"""Are counts conserved, promises judged and percentiles right?"""

import pytest

from flyball.model.request import Promise
from flyball.serve.load.report import Ledger, Quantiles
from flyball.serve.load.wire import Ending, Exchange, Usage


def _exchange(label: str, ttft_s: float, e2e_s: float, status: int = 200) -> Exchange:
    exchange = Exchange(0, label, b"", b"", 100.0)
    exchange.status, exchange.events = status, 5
    exchange.first_at, exchange.last_at = 100.0 + ttft_s, 100.0 + e2e_s
    return exchange


WHOLE = Ending(Usage(prompt_tokens=10, completion_tokens=11), "", True)


def test_latencies_and_promises() -> None:
    ledger = Ledger("u", {"a": Promise(ttft_s=0.5, tpot_s=0.1), "": Promise(e2e_s=3.0)}, 90.0)
    cases = (
        ("a", 0.4, 1.0, True),
        ("a", 0.6, 1.0, False),
        ("a", 0.4, 1.6, False),
        ("b", 0.9, 2.9, True),
        ("b", 0.9, 3.1, False),
    )
    for label, ttft_s, e2e_s, kept in cases:
        ledger.note_sent(label, 0.001)
        answer = ledger.note_ended(_exchange(label, ttft_s, e2e_s), WHOLE)
        assert answer.in_time is kept
        assert answer.tpot_s == pytest.approx((e2e_s - ttft_s) / 10)
        assert answer.due_s == pytest.approx(10.0)
    ledger.ended = 100.0
    report = ledger.report()
    assert (report.total.sent, report.total.in_time) == (5, 2)
    assert report.total.goodput_rps == pytest.approx(0.2)
    assert report.total.output_tokens_per_s == pytest.approx(5.5)
    assert [one.name for one in report.classes] == ["a", "b"]
    assert report.total.ttft.p50_s == pytest.approx(0.6)
    assert report.open_loop


def test_lag_decides_what_is_an_open_loop() -> None:
    ledger = Ledger("u", {}, 0.0)
    for number in range(100):
        ledger.note_sent("all", 0.2 if number >= 97 else -0.001)
    report = ledger.report()
    assert not report.open_loop
    assert (report.lag.p50_s, report.lag_s_max) == (0.0, 0.2)


def test_refused_failed_and_stopped() -> None:
    ledger = Ledger("u", {}, 0.0)
    none = Ending(Usage(), "", False)
    cases = [("", 429), ("", 503), ("", 500), ("", 302), ("connect", 0), ("stopped", 0)]
    for cause, status in cases:
        ledger.note_sent("all", 0.0)
        exchange = _exchange("all", 0.0, 0.0, status)
        exchange.cause = cause
        ledger.note_ended(exchange, none)
    total = ledger.report().total
    assert total.refused == {"http_429": 1, "http_503": 1}
    assert total.failed == {"connect": 1, "http_302": 1, "http_500": 1}
    assert (total.stopped, total.answered, total.in_time) == (1, 0, 0)


def test_nothing_measured_is_none() -> None:
    report = Ledger("u", {}, 0.0).report()
    assert report.total.e2e == Quantiles()
    assert report.total.goodput_ratio == 0.0
