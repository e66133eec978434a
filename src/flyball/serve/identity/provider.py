"""What does an identity provider say of itself, and by which keys does it sign?

OpenID Connect Discovery 1.0 4. Over https only, but for a provider on this machine.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from msgspec import Struct

from flyball.units import Bytes, Seconds

TIMEOUT_S: Seconds = 10.0
ANSWER_BYTES_MAX: Bytes = 1_048_576
KEYS_MAX = 64
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ProviderError(OSError):
    """The provider cannot be reached, or is none; the message says which address and why."""


class Provider(Struct, frozen=True, kw_only=True):
    """Where a provider's doors are. `device_url` = "" where it offers no device code."""

    issuer: str
    keys_url: str
    token_url: str
    device_url: str


def discover(issuer: str) -> Provider:
    """The provider at `issuer`. Raises ProviderError, also where it says another name."""
    page = get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if page.get("issuer") != issuer:
        raise ProviderError(f"the provider at {issuer} calls itself {page.get('issuer')!r}")
    urls = {
        "keys_url": page.get("jwks_uri"),
        "token_url": page.get("token_endpoint"),
        "device_url": page.get("device_authorization_endpoint") or "",
    }
    if not all(isinstance(url, str) for url in urls.values()):
        raise ProviderError(f"the provider at {issuer} does not say where its keys and tokens are")
    return Provider(issuer=issuer, **{name: str(url) for name, url in urls.items()})


def keys_of(provider: Provider) -> list[dict[str, Any]]:
    """Its public keys (JWKS, RFC 7517). Raises ProviderError."""
    found = get(provider.keys_url).get("keys")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ProviderError(f"{provider.keys_url} has no keys")
    return found[:KEYS_MAX]


def get(url: str) -> dict[str, Any]:
    """A JSON object from there."""
    status, found = _asked(urllib.request.Request(checked(url)))
    if status != 200:
        raise ProviderError(f"{url} answers {status}")
    return found


def post(url: str, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """(status, JSON object) of a form sent there; a fault of the form is an answer too."""
    data = urllib.parse.urlencode(fields).encode()
    return _asked(urllib.request.Request(checked(url), data))


def checked(url: str) -> str:
    """The URL; ProviderError unless what goes there cannot be read on the way."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise ProviderError(f"{url} is not https: a login would be open to all on the way")


def _asked(request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
    request.add_header("accept", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            status, body = answer.status, answer.read(ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as fault:
        status, body = fault.code, fault.read(ANSWER_BYTES_MAX)
    except (urllib.error.URLError, OSError) as fault:
        reason = getattr(fault, "reason", "") or fault
        raise ProviderError(f"nothing from {request.full_url}: {reason}") from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderError(f"{request.full_url} answers {status} and no JSON object")
    return status, found
