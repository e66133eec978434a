"""Is only one spelling of a token read, and do foreign blocks fit where they must?"""

import pytest
from biscuit_auth import Algorithm, Biscuit, PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.mandates.attenuate import payload_of, signed_by
from flyball.authority.mandates.tokens import bytes_of
from flyball.authority.mandates.wire import WeakKeyError, WireError, append, carrier, parse
from support.mandates import APPROVER, ROOT, chain, granted

DATA = bytes_of(chain(2))


def test_parts() -> None:
    frame = parse(DATA)
    assert frame.root_key_id == 1 and len(frame.blocks) == 3 and len(frame.next_secret) == 32
    assert all(len(one.signature) == 64 and one.external is None for one in frame.blocks)
    assert frame.blocks[0].next_key.text().startswith("ed25519/")


def test_second_spellings() -> None:
    longer_id = b"\x08\x81\x00" + DATA[2:]
    twice = DATA[:2] + DATA
    unknown = DATA + b"\x28\x01"
    reordered = DATA[2:] + DATA[:2]
    for data in (longer_id, twice, unknown, reordered, DATA[2:], DATA + b"\x00", b"", b"\xff" * 9):
        with pytest.raises(WireError):
            parse(data)


def test_weak_next_key() -> None:
    key = parse(DATA).blocks[1].next_key.data
    with pytest.raises(WeakKeyError):
        parse(DATA.replace(key, bytes(32)))


def test_a_sealed_token_takes_no_block() -> None:
    sealed = DATA[:-36] + b"\x22\x42\x12\x40" + bytes(64)
    assert parse(sealed).next_secret == b""
    with pytest.raises(WireError, match="sealed"):
        append(sealed, b"", None, Ed25519PrivateKey.generate())


def test_the_library_takes_what_is_put_behind() -> None:
    data = bytes_of(granted())
    payload = payload_of('approved("a", "b", "c");', {})
    external = signed_by(APPROVER, payload, parse(data).blocks[-1].signature.hex())
    longer = append(data, payload, external, Ed25519PrivateKey.generate())
    root = PublicKey.from_bytes(ROOT.public, Algorithm.Ed25519)
    biscuit = Biscuit.from_bytes(longer, root)
    assert str(biscuit.block_external_key(1)) == f"ed25519/{APPROVER.public.hex()}"
    assert biscuit.block_source(1) == 'approved("a", "b", "c");\n'


def test_a_carrier_has_the_same_blocks_under_another_root() -> None:
    made = Ed25519PrivateKey.generate()
    copy = carrier(parse(DATA), made)
    root = PublicKey.from_bytes(made.public_key().public_bytes_raw(), Algorithm.Ed25519)
    original = Biscuit.from_bytes(DATA, PublicKey.from_bytes(ROOT.public, Algorithm.Ed25519))
    read = Biscuit.from_bytes(copy, root)
    sources = [[one.block_source(place) for place in range(3)] for one in (read, original)]
    assert sources[0] == sources[1]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse(data)
    except WireError:
        return
    raise AssertionError("random bytes are no token")
