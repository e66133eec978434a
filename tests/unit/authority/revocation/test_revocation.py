"""Does a signed event survive its way, and is everything that was touched on the way refused?"""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.revocation.revocation import (
    IDS_MAX,
    EventError,
    Revocation,
    core_event,
    read_event,
    sign_event,
    verify_event,
)
from flyball.authority.revocation.signer import key_text
from flyball.governor.events import Revoked, StopSet
from flyball.signing.jcs import canonical
from support.oversight import ADA, EVE, revocation, signer, stop

EVENTS = [
    revocation("ab", "cd"),
    revocation(subjects=("human:https://idp|u1", "session:https://idp|s")),
    stop("all", until=5e9),
    stop("session:sk|1", is_stopped=False, site="north"),
]
RAW = sign_event(EVENTS[0], ADA)


@pytest.mark.parametrize("event", EVENTS)
def test_it_comes_as_it_was_signed(event: Revocation) -> None:
    raw = sign_event(event, ADA)
    signed = verify_event(raw, {"ada": ADA.public})
    assert (signed.event, signed.signer, signed.key) == (event, "ada", ADA.public)
    assert read_event(raw) == event


@given(st.integers(0, len(RAW) - 1), st.integers(0, 7))
def test_no_bit_can_be_changed(place: int, bit: int) -> None:
    touched = bytearray(RAW)
    touched[place] ^= 1 << bit
    with pytest.raises(EventError):
        verify_event(bytes(touched), {"ada": ADA.public})


@pytest.mark.parametrize("length", range(0, len(RAW), 7))
def test_no_part_of_it_is_an_event(length: int) -> None:
    with pytest.raises(EventError):
        verify_event(RAW[:length], {})


def test_a_known_name_with_another_key_is_forged() -> None:
    raw = sign_event(EVENTS[0], signer("ada", 77))
    verify_event(raw, {})
    with pytest.raises(EventError, match="not the key of ada") as told:
        verify_event(raw, {"ada": ADA.public})
    assert told.value.code == "forged"


def test_someone_elses_key_beside_a_signature_is_forged() -> None:
    value = {**json.loads(RAW), "key": key_text(EVE.public)}
    with pytest.raises(EventError, match="does not hold"):
        verify_event(canonical(value), {})


def test_another_spelling_of_the_same_is_refused() -> None:
    with pytest.raises(EventError, match="canonical"):
        verify_event(json.dumps(json.loads(RAW)).encode(), {})
    with pytest.raises(EventError, match="no signed event"):
        verify_event(canonical({**json.loads(RAW), "more": 1}), {})
    with pytest.raises(EventError, match="at most"):
        verify_event(b" " * 40_000, {})


@pytest.mark.parametrize(
    "bad",
    [
        {"reason": ""}, {"by": ""}, {"id": ""}, {"reason": "x" * 501}, {"ids": ()},
        {"ids": ("AB",)}, {"ids": ("",)}, {"ids": ("ab",) * (IDS_MAX + 1)}, {"ids": ("a" * 200,)},
        {"ids": (), "subjects": ("u1",)}, {"ids": (), "subjects": ("role:i|x",)},
    ],
)  # fmt: skip
def test_an_event_must_say_something(bad: dict[str, object]) -> None:
    with pytest.raises(EventError):
        sign_event(msgspec.structs.replace(EVENTS[0], **bad), ADA)


@pytest.mark.parametrize("scope", ["", "everything", "class:", "pool:x", "class"])
def test_a_scope_is_one_that_the_governor_knows(scope: str) -> None:
    with pytest.raises(EventError, match="is no scope"):
        sign_event(stop(scope), ADA)


def test_the_governor_is_told_all_of_it() -> None:
    event = core_event(EVENTS[1], 7.0, "north", 3)
    assert isinstance(event, Revoked)
    assert (event.feed, event.sequence, event.subjects) == ("north", 3, EVENTS[1].subjects)
    other = core_event(EVENTS[2], 7.0, "north", 4)
    assert isinstance(other, StopSet)
    assert (other.scope, other.until, other.made_at) == ("all", 5e9, EVENTS[2].made_at)
