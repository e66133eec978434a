"""Can Flyball's own records be replayed, without its retries and refusals?"""

import msgspec
import pytest

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally, TraceError
from flyball.model.decision import ConfigSet, Intent, Outcome
from support import records as given


def intent(name: str, at: float, is_retry: bool = False) -> Intent:
    """An intent whose figures the rows below are compared with."""
    return given.intent(
        id=name, at=at, session=f"s-{name}", model="m", is_retry=is_retry, tokens_offered=50,
        tokens_kept=50, output_tokens_max=9,
    )  # fmt: skip


def outcome(name: str, at: float, kind: str = "served", tokens: int = 8) -> Outcome:
    """Its outcome, or one of a request that had no intent."""
    return given.outcome(
        intent(name, at), at=at, outcome=kind, input_tokens=40, cached_tokens=0,
        output_tokens=tokens,
    )  # fmt: skip


def test_pairs_become_rows_in_order_of_arrival() -> None:
    config = ConfigSet(id="c", at=9.0, digest="d", in_force=True, reason="")
    records = [
        config, intent("a", 10.0), intent("b", 11.0), outcome("b", 12.0),
        intent("r", 13.0, is_retry=True), outcome("r", 14.0), outcome("no", 15.0, "refused"),
        outcome("a", 16.0), intent("open", 17.0),
    ]  # fmt: skip
    data = [msgspec.json.encode(record) + b"\n" for record in records]
    tally = Tally()
    assert formats.detect(data[0], "r.jsonl") == "records"
    rows = list(formats.read("records", data, "r.jsonl", tally))
    assert [(row.session, row.at_s) for row in rows] == [("s-a", 0.0), ("s-b", 1.0)]
    assert (rows[0].input_tokens, rows[0].output_tokens) == (40, 8)
    assert (rows[0].model, rows[0].class_name) == ("m", "chat")
    assert tally.unmatched == 2


def test_a_line_that_is_no_record() -> None:
    with pytest.raises(TraceError, match=r"r.jsonl:1: a field is missing"):
        list(formats.read("records", [b'{"kind": "novel"}\n'], "r.jsonl", Tally()))
