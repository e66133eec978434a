"""Is a feed taken only whole, in order, unforked, fresh and by its own site?"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.revocation.feed import (
    LINE_BYTES_MAX,
    Cursor,
    FeedError,
    digest,
    make_beat,
    make_entry,
)
from flyball.authority.revocation.revocation import Revocation, sign_event
from flyball.authority.revocation.signer import Signer
from flyball.signing.jcs import canonical
from support.oversight import ADA, EVE, NORTH, SOUTH, revocation


def chain(count: int, by: Signer = NORTH) -> list[bytes]:
    lines: list[bytes] = []
    for number in range(1, count + 1):
        raw = sign_event(revocation(f"{number:04x}"), ADA)
        lines.append(make_entry(raw, number, digest(lines[-1]) if lines else "", by))
    return lines


LINES = chain(6)


def cursor() -> Cursor:
    return Cursor("north", NORTH.public)


def at(count: int) -> Cursor:
    made = cursor()
    for line in LINES[:count]:
        made.take(line)
    return made


def fault(act: Any) -> str:
    with pytest.raises(FeedError) as told:
        act()
    return told.value.fault


def test_entries_are_taken_in_order_and_once() -> None:
    made = cursor()
    taken = [made.take(line) for line in LINES]
    assert [one.sequence for one in taken if one] == [1, 2, 3, 4, 5, 6]
    assert made.take(LINES[2]) is None and made.sequence == 6
    assert made.head == digest(LINES[-1]) and made.again().sequence == 0


@given(st.lists(st.integers(0, 5), max_size=40))
def test_whatever_the_order_only_a_true_prefix_is_ever_taken(order: list[int]) -> None:
    """Reordered, repeated and left out lines: what was taken is 1..n, and n only grows."""
    made = cursor()
    for index in order:
        before = made.sequence
        try:
            taken = made.take(LINES[index])
        except FeedError as error:
            assert error.fault == "gap" and index + 1 > before + 1
            assert made.sequence == before
        else:
            assert (taken is None) == (index < before)
            assert made.sequence == max(before, index + 1)


def test_a_gap_is_told() -> None:
    assert fault(lambda: at(2).take(LINES[3])) == "gap"


def test_a_forked_past_or_future_is_told() -> None:
    other = chain(6)
    assert fault(lambda: at(3).take(other[1])) == "forked"
    assert fault(lambda: at(3).take(other[3])) == "forked"


def test_a_wrong_key_and_a_foreign_feed_are_told() -> None:
    forged = make_entry(sign_event(revocation(), ADA), 1, "", Signer.new("north"))
    assert fault(lambda: cursor().take(forged)) == "forged"
    assert fault(lambda: cursor().take(chain(1, SOUTH)[0])) == "foreign"
    as_site = sign_event(revocation(), Signer.new("north"))
    assert fault(lambda: cursor().take(make_entry(as_site, 1, "", NORTH))) == "forged"


@given(st.integers(0, len(LINES[0]) - 1), st.integers(0, 7))
def test_no_bit_of_a_line_can_be_changed(place: int, bit: int) -> None:
    touched = bytearray(LINES[0])
    touched[place] ^= 1 << bit
    with pytest.raises(FeedError):
        cursor().take(bytes(touched))


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"x", b"null", b'{"signature":1}', b" " * (LINE_BYTES_MAX + 1),
     json.dumps(json.loads(LINES[0])).encode(), b"[" * 5000],
)  # fmt: skip
def test_what_is_no_line_is_malformed(line: bytes) -> None:
    assert fault(lambda: cursor().take(line)) == "malformed"


def beat(sequence: int, head: bytes, nonce: str = "n", by: Signer = NORTH) -> bytes:
    return make_beat(sequence, digest(head), nonce, 12.5, by)


def test_a_beat_is_fresh_only_when_all_that_it_counts_was_taken() -> None:
    assert at(6).hear(beat(6, LINES[5]), "n").up_s == 12.5
    assert fault(lambda: at(5).hear(beat(6, LINES[5]), "n")) == "gap"
    assert fault(lambda: at(6).hear(beat(5, LINES[4]), "n")) == "regressed"
    assert fault(lambda: at(6).hear(beat(6, LINES[4]), "n")) == "forked"


def test_an_old_or_foreign_beat_is_none() -> None:
    assert fault(lambda: at(6).hear(beat(6, LINES[5], "before"), "n")) == "stale"
    assert fault(lambda: at(6).hear(beat(6, LINES[5], by=SOUTH), "n")) == "foreign"
    forged = beat(6, LINES[5], by=Signer("north", EVE.private))
    assert fault(lambda: at(6).hear(forged, "n")) == "forged"
    assert fault(lambda: at(6).hear(LINES[5], "n")) == "malformed"


def test_what_was_kept_is_restored_and_any_damage_found() -> None:
    made = cursor()
    events = made.restore(LINES)
    told = [event.ids for event in events if isinstance(event, Revocation)]
    assert told == [(f"{n:04x}",) for n in range(1, 7)]
    assert (made.sequence, made.head) == (6, digest(LINES[-1]))
    for number, line in enumerate(LINES):
        for place in range(0, len(line), 11):
            touched = bytearray(line)
            touched[place] ^= 1
            found = [*LINES[:number], bytes(touched), *LINES[number + 1 :]]
            with pytest.raises(FeedError):
                cursor().restore(found)
    assert fault(lambda: cursor().restore(LINES[1:])) == "forked"


def test_an_entry_signed_over_other_bytes_than_it_shows_is_forged() -> None:
    value = {**json.loads(LINES[0]), "sequence": 2}
    assert fault(lambda: at(1).take(canonical(value))) == "forged"
