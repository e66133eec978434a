"""Does the status list say of each place what was revoked, in the draft's own encoding?"""

import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.revocation.signer import base64url
from flyball.authority.revocation.statuslist import (
    INVALID,
    SIZE_MAX,
    VALID,
    StatusList,
    read_token,
    status_token,
)
from support.oversight import NORTH, SOUTH

URL = "https://north/flyball/status-list"


def test_the_drafts_own_example() -> None:
    """Section 4.1 there: 16 places, one bit each, bytes 0xB9 0xA3."""
    listed = StatusList(16)
    for index in (0, 3, 4, 5, 7, 8, 9, 13, 15):
        listed.revoke(index)
    assert listed.packed() == "eNrbuRgAAhcBXQ"
    assert StatusList.unpacked("eNrbuRgAAhcBXQ").status(7) == INVALID


@given(st.sets(st.integers(0, 20_000), max_size=50))
def test_what_is_revoked_and_nothing_else(places: set[int]) -> None:
    listed = StatusList(64)
    for place in places:
        listed.revoke(place)
    again = StatusList.unpacked(listed.packed())
    assert {n for n in range(again.size) if again.status(n) == INVALID} == places
    assert again.size == listed.size and (not places or listed.size > max(places))


def test_bounds() -> None:
    for size in (0, 7, SIZE_MAX + 8):
        with pytest.raises(ValueError):
            StatusList(size)
    listed = StatusList(8)
    for act in (listed.status, listed.revoke):
        with pytest.raises(IndexError):
            act(SIZE_MAX)
        with pytest.raises(IndexError):
            act(-1)
    assert listed.status(0) == VALID


def test_a_list_that_would_burst_or_is_cut_short_is_refused() -> None:
    import zlib

    for data in (zlib.compress(bytes(SIZE_MAX)), zlib.compress(b"abc")[:-2], b"abc"):
        with pytest.raises(ValueError):
            StatusList.unpacked(base64url(data))


def test_the_token_is_of_its_type_signed_and_for_its_place() -> None:
    listed = StatusList(16)
    listed.revoke(3)
    token = status_token(listed, URL, time.time(), NORTH)
    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA", "typ": "statuslist+jwt", "kid": "north",
    }  # fmt: skip
    assert read_token(token, URL, NORTH.public).status(3) == INVALID
    other = NORTH.jwt({"sub": URL, "status_list": {"bits": 1, "lst": listed.packed()}}, "JWT")
    old = status_token(listed, URL, time.time() - 9999, NORTH)
    for bad, key in ((token, SOUTH.public), (other, NORTH.public), (old, NORTH.public)):
        with pytest.raises(ValueError):
            read_token(bad, URL, key)
    with pytest.raises(ValueError):
        read_token(token, "https://other", NORTH.public)
