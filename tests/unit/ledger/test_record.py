"""Do records come back as they were, equal ones as equal bytes, and bad ones with a clear error?"""

import math

import msgspec
import pytest

from flyball.ledger.record import KINDS, RecordError, decode, encode, is_about
from flyball.model.decision import Intent, LoopAction, PricesSet, Record
from support import records

EXAMPLES: list[Record] = [
    records.intent(),
    records.outcome(records.intent()),
    records.feasibility(),
    records.config(1),
    records.turned_away(count=3),
    LoopAction(
        id="a", at=1.0, loop="l", actuator="x", scope="s", old="1", new="2", reason="r", mode="m"
    ),
    PricesSet(
        id="p",
        at=1.0,
        version=2,
        published=True,
        gap=1e-6,
        solve_s=0.01,
        reason="",
        prices=(("pool", 1e-4, 0.0, 0.0),),
    ),
    *records.acts(),
]


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_there_and_back(record: Record) -> None:
    data = encode(record)
    assert decode(data) == record
    assert encode(decode(data)) == data


def test_a_record_is_about_its_own_id_and_about_each_request_it_counts() -> None:
    many = records.turned_away(5, count=3)
    assert all(is_about(many, request_id) for request_id in many.ids) and len(many.ids) == 3
    assert not is_about(many, records.request_id(1.0))
    it = records.intent(4)
    assert is_about(it, it.id) and not is_about(it, many.id)


def test_every_kind_is_known() -> None:
    tags = {msgspec.to_builtins(record)["kind"] for record in EXAMPLES}
    assert tags == set(KINDS)


def test_the_kind_comes_first() -> None:
    assert encode(records.config(1)).startswith(b'{"kind":"config","id":"c1","at":')


def test_a_number_that_is_not_finite_comes_back_as_nan() -> None:
    back = decode(encode(records.intent(deadline_at=float("inf"))))
    assert isinstance(back, Intent)
    assert math.isnan(back.deadline_at)
    assert back.endpoint == "paris-1"


def test_a_large_intent_keeps_the_chosen_and_the_cheapest_candidates() -> None:
    many = tuple(records.candidate(f"e{i:04}" + "x" * 60, total_usd=i * 1e-6) for i in range(600))
    large = records.intent(candidates=many, candidates_count=600, endpoint=many[599].endpoint)
    data = encode(large)
    back = decode(data)
    assert len(data) <= 65_535
    assert isinstance(back, Intent)
    names = [candidate.endpoint for candidate in back.candidates]
    assert names == [*(c.endpoint for c in many[: len(names) - 1]), many[599].endpoint]
    assert back.candidates_count == 600


def test_a_record_that_cannot_fit_is_refused_by_name() -> None:
    with pytest.raises(RecordError, match=r"record c1 has \d+ bytes; 65535 is the most"):
        encode(records.config(1, size=70_000))
    with pytest.raises(RecordError, match="65535 is the most"):
        encode(records.intent(session="s" * 70_000))


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"\xff\x00", "not a record"),
        (b"[]", "not a record"),
        (b'{"kind":"omen","id":"m1"}', "kind 'omen', which this version does not know"),
        (b'{"id":"m1"}', "kind None"),
        (b'{"kind":"config","id":"c1"}', "kind 'config': .*missing required field"),
    ],
)
def test_what_is_no_record_is_named(data: bytes, cause: str) -> None:
    with pytest.raises(RecordError, match=cause):
        decode(data)


@pytest.mark.parametrize("place", [b"kind", b"principal", b"alice"])
def test_bytes_that_are_no_text_are_no_record_wherever_they_stand(place: bytes) -> None:
    data = encode(records.intent())
    for bad in (data.replace(place, place[:-1] + b"\xe1", 1), data[: data.index(place)] + b"\xe1"):
        with pytest.raises(RecordError):
            decode(bad)
