"""Is every call kept as it ended, whatever the order, and do equal runs have equal digests?"""

import numpy as np

from flyball.dialects.traces.row import TraceRow
from flyball.model.request import Promise, RequestClass
from flyball.sim.exchange import Call, End
from flyball.sim.outcomes import COLUMNS, ENDS, Outcomes, digest

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


def test_the_digest_sees_every_call_and_not_the_order_of_their_ends() -> None:
    first, second = outcomes(), Outcomes((FAST, SLOW))
    for number, klass, end, ttft_s, sent_at in (
        (0, FAST, "served", 0.2, 10.0),
        (1, FAST, "served", 0.8, 10.0),
        (2, FAST, "refused", 0.0, 10.0),
        (3, SLOW, "served", 5.0, 10.0),
        (4, SLOW, "served", 9.0, 1.0),
    ):
        second.ended(call(number, klass, end, ttft_s, sent_at))  # type: ignore[arg-type]
    assert digest(first.arrays()) == digest(second.arrays())
    second.ended(call(5, SLOW, "failed", 0.0))
    assert digest(first.arrays()) != digest(second.arrays())


def test_columns_are_in_the_order_of_the_calls_and_many_are_folded() -> None:
    kept = Outcomes((FAST, SLOW))
    for number in reversed(range(10_000)):
        kept.ended(call(number, SLOW, "served", 0.5, sent_at=float(number)))
    assert len(kept) == 10_000
    assert kept.delivered == 110_000
    columns = kept.arrays()
    assert list(columns) == list(COLUMNS)
    assert columns["number"].tolist() == list(range(10_000))
    assert np.array_equal(columns["sent_at_s"], np.arange(10_000.0))
    assert set(columns["class_index"].tolist()) == {1}
    assert {ENDS[end] for end in columns["end"].tolist()} == {"served"}
