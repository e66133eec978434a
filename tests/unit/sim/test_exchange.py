"""Are a call's latencies the client's, and is a promise judged whole?"""

import pytest

from flyball.dialects.traces.row import TraceRow
from flyball.model.request import Promise, RequestClass
from flyball.sim.exchange import Call, Exchange

ROW = TraceRow(at_s=0.0, input_tokens=100, output_tokens=11)


def call(**promise: float) -> Call:
    made = Call(3, ROW, RequestClass(name="chat", promise=Promise(**promise)), 10.0)
    made.first_at, made.done_at, made.end, made.output_tokens = 10.4, 11.4, "served", 11
    return made


def test_latencies_count_from_the_first_sending() -> None:
    one = call()
    assert (one.ttft_s, one.e2e_s, one.tpot_s) == pytest.approx((0.4, 1.4, 0.1))


@pytest.mark.parametrize(
    ("promise", "kept"),
    [
        ({}, True),
        ({"ttft_s": 0.5, "tpot_s": 0.2, "e2e_s": 2.0}, True),
        ({"ttft_s": 0.3}, False),
        ({"tpot_s": 0.05}, False),
        ({"e2e_s": 1.0}, False),
    ],
)
def test_every_promise_counts(promise: dict[str, float], kept: bool) -> None:
    assert call(**promise).is_in_time is kept


def test_what_was_not_served_is_not_in_time() -> None:
    one = call()
    one.end = "failed"
    assert not one.is_in_time


def test_a_cut_context_is_shorter_at_the_engine() -> None:
    exchange = Exchange(call(), 0, "r1")
    assert exchange.input_tokens == 100
    exchange.kept_ratio = 0.25
    assert exchange.input_tokens == 25
