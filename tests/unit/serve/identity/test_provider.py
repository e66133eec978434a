"""Is a provider believed about its doors only if it is the one that was meant?"""

from collections.abc import Iterator

import pytest

from flyball.serve.identity.provider import (
    Provider,
    ProviderError,
    checked,
    discover,
    get,
    keys_of,
    post,
)  # fmt: skip
from support.idp import IdentityProvider


@pytest.fixture(scope="module")
def idp() -> Iterator[IdentityProvider]:
    one = IdentityProvider()
    yield one
    one.close()


def test_doors_and_keys(idp: IdentityProvider) -> None:
    found = discover(idp.issuer)
    assert found.device_url == f"{idp.issuer}/device" and found.issuer == idp.issuer
    assert keys_of(found)[0]["kid"] == "k1"
    assert post(f"{idp.issuer}/device", {"client_id": "x"}) == (401, {"error": "invalid_client"})


@pytest.mark.parametrize("page", [{"issuer": "https://evil.example"}, {"jwks_uri": 7}])
def test_another_ones_page(idp: IdentityProvider, page: dict) -> None:
    idp.page = page
    try:
        with pytest.raises(ProviderError):
            discover(idp.issuer)
    finally:
        idp.page = {}


def test_what_is_no_provider(idp: IdentityProvider) -> None:
    for url in (f"{idp.issuer}/text", f"{idp.issuer}/none", "http://127.0.0.1:1/x"):
        with pytest.raises(ProviderError):
            get(url)
    bad = Provider(issuer="x", keys_url=f"{idp.issuer}/.well-known/openid-configuration",
                   token_url="", device_url="")  # fmt: skip
    with pytest.raises(ProviderError, match="no keys"):
        keys_of(bad)


def test_only_https_but_here() -> None:
    assert checked("https://idp.example/x") and checked("http://localhost:8/x")
    for url in ("http://idp.example", "ftp://x", "file:///etc/passwd", ""):
        with pytest.raises(ProviderError, match="https"):
            checked(url)
