"""What must a grant have, and who is in it?"""

import pytest

from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.grant import Person, biscuit_key, grant, root_number
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.tokens import PREFIX
from support.mandates import ANNA, LOOSE, ROOT, T, granted, verifier


def test_a_token_is_an_ordinary_api_key() -> None:
    token = granted()
    assert token.startswith(PREFIX) and token.isascii() and " " not in token and len(token) < 1300


@pytest.mark.parametrize("until", [None, T, T - 1, T + 400 * 86_400])
def test_it_must_expire(until: float | None) -> None:
    with pytest.raises(MandateError, match="expire"):
        grant(ROOT, ANNA, Limits(expires_at=until), T)


def test_it_must_name_somebody() -> None:
    for issuer, subject in (("", "x"), ("x", ""), ("a|b", "x"), ("a", 'x"y'), ("a", "x" * 201)):
        with pytest.raises(MandateError):
            grant(ROOT, Person(issuer=issuer, subject=subject), LOOSE, T)


def test_a_roots_name_is_its_number() -> None:
    assert root_number("17") == 17
    for name in ("", "x", "01", "-1", "4294967296", "1.0", "\u0661"):
        with pytest.raises(MandateError):
            root_number(name)


def test_the_same_key_in_the_library() -> None:
    from biscuit_auth import KeyPair

    assert bytes(KeyPair.from_private_key(biscuit_key(ROOT)).public_key.to_bytes()) == ROOT.public


def test_little_is_enough() -> None:
    mandate = verifier().verify(granted(LOOSE), T)
    assert mandate.operations == () and mandate.spends == () and mandate.autonomy == 0
