"""Does a login by device code wait as it is told, and end when the person says no?"""

from collections.abc import Iterator

import jwt
import pytest
from msgspec import structs

from flyball.serve.identity.device import LoginRefused, begin, finish
from flyball.serve.identity.provider import ProviderError, discover
from support.idp import CLIENT, IdentityProvider


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    one = IdentityProvider()
    yield one
    one.close()


class Clock:
    def __init__(self) -> None:
        self.at, self.slept = 0.0, []

    def now(self) -> float:
        return self.at

    def sleep(self, span: float) -> None:
        self.slept.append(span)
        self.at += span


def test_pending_slower_then_in(idp: IdentityProvider) -> None:
    idp.answers = ["authorization_pending", "slow_down", "ok"]
    provider, clock = discover(idp.issuer), Clock()
    prompt = begin(provider, CLIENT)
    assert prompt.code == "WDJB-MJHT" and prompt.url.endswith("/activate")
    token = finish(provider, CLIENT, prompt, clock.now, clock.sleep)
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == "anna"
    assert clock.slept == [0.0, 0.0, 5.0]
    assert (
        idp.asked[1]["grant_type"].endswith("device_code") and idp.asked[1]["device_code"] == "dc-1"
    )


@pytest.mark.parametrize("answer", ["access_denied", "expired_token", "invalid_grant"])
def test_no(idp: IdentityProvider, answer: str) -> None:
    idp.answers = [answer]
    provider, clock = discover(idp.issuer), Clock()
    with pytest.raises(LoginRefused):
        finish(provider, CLIENT, begin(provider, CLIENT), clock.now, clock.sleep)


def test_never(idp: IdentityProvider) -> None:
    idp.answers = ["authorization_pending"] * 50
    provider, clock = discover(idp.issuer), Clock()
    prompt = structs.replace(begin(provider, CLIENT), interval_s=7.0)
    with pytest.raises(LoginRefused, match="in time"):
        finish(provider, CLIENT, prompt, clock.now, clock.sleep)
    assert 60 <= clock.at < 75


def test_not_offered_or_refused(idp: IdentityProvider) -> None:
    provider = discover(idp.issuer)
    with pytest.raises(ProviderError, match="invalid_client"):
        begin(provider, "other")
    with pytest.raises(ProviderError, match="device code"):
        begin(structs.replace(provider, device_url=""), CLIENT)
    idp.answers = ["ok"]
    with pytest.raises(ProviderError, match="no code"):
        begin(structs.replace(provider, device_url=f"{idp.issuer}/token"), CLIENT)
