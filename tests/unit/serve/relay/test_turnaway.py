"""Is each request turned away counted once, in records that no flood can multiply?"""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.model.faults import FAULTS, Refusal
from flyball.serve.relay.turnaway import (
    ELSEWHERE,
    GROUPS_MAX,
    IDS_MAX,
    REASON_CHARS_MAX,
    TurnawayTally,
    network_of,
)

CODES = sorted(FAULTS)


def test_one_record_for_each_code_and_network() -> None:
    tally = TurnawayTally()
    tally.note(1.0, "a", Refusal(code="bad_json", detail="x"), "192.0.2.0/24")
    tally.note(1.1, "b", Refusal(code="bad_http", detail="y"), "192.0.2.0/24")
    tally.note(1.2, "c", Refusal(code="bad_json", detail="z"), "192.0.2.0/24")
    first, second = tally.take()
    assert (first.id, first.at, first.until, first.count) == ("a", 1.0, 1.2, 2)
    assert first.ids == ("a", "c") and first.status == 400
    assert first.reason == "x"
    assert (second.id, second.code, second.count) == ("b", "bad_http", 1)
    assert tally.take() == []


@given(st.lists(st.tuples(st.sampled_from(CODES), st.integers(0, 200)), max_size=400))
def test_all_are_counted_and_the_records_are_bounded(sent: list[tuple[str, int]]) -> None:
    tally = TurnawayTally()
    for number, (code, source) in enumerate(sent):
        tally.note(float(number), str(number), Refusal(code=code), f"net-{source}")
    records = tally.take()
    assert len(records) <= GROUPS_MAX + len(CODES)
    counts: Counter[str] = Counter()
    for record in records:
        counts[record.code] += record.count
        assert record.at <= record.until and len(record.ids) == min(record.count, IDS_MAX)
        assert all(sent[int(number)][0] == record.code for number in record.ids)
    assert counts == Counter(code for code, _ in sent)


def test_beyond_the_bound_the_code_is_still_told() -> None:
    tally = TurnawayTally()
    for number in range(GROUPS_MAX + 50):
        tally.note(0.0, str(number), Refusal(code="bad_json"), f"net-{number}")
    *named, rest = tally.take()
    assert len(named) == GROUPS_MAX and (rest.source, rest.count) == (ELSEWHERE, 50)


def test_what_a_client_wrote_is_kept_short() -> None:
    tally = TurnawayTally()
    tally.note(0.0, "a", Refusal(code="bad_json", detail="/" * 10_000), "n")
    assert len(tally.take()[0].reason) == REASON_CHARS_MAX


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::ffff:192.0.2.9", "192.0.2.0/24"),
        ("", "unknown"),
        ("a.sock", "unknown"),
    ],
)
def test_no_single_address_is_kept(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_path_that_a_caller_made_up_is_not_kept() -> None:
    tally = TurnawayTally()
    tally.note(1.0, "req_1", Refusal(code="not_found", detail="/v1/sk-secret"), "192.0.2.0/24")
    tally.note(1.0, "req_2", Refusal(code="bad_json", detail="it is cut off"), "192.0.2.0/24")
    assert [one.reason for one in tally.take()] == ["", "it is cut off"]
