"""How does a person log in from a terminal, with the browser of any other device (RFC 8628)?"""

from collections.abc import Callable

from msgspec import Struct

from flyball.serve.identity.provider import Provider, ProviderError, post
from flyball.units import Seconds

SCOPE = "openid"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_S: Seconds = 5.0  # RFC 8628 3.2 and 3.5: where none is said, and what slow_down adds
_LIFE_MAX_S: Seconds = 1_800.0


class LoginRefused(ProviderError):
    """The person said no, or not in time."""


class Prompt(Struct, frozen=True, kw_only=True):
    """What the person must do: open `url` and type `code`, within `life_s`."""

    url: str
    code: str
    complete_url: str
    device_code: str
    interval_s: Seconds
    life_s: Seconds


def begin(provider: Provider, client_id: str, scope: str = SCOPE) -> Prompt:
    """Ask the provider for a code. Raises ProviderError."""
    if not provider.device_url:
        raise ProviderError(f"{provider.issuer} offers no login by device code")
    status, found = post(provider.device_url, {"client_id": client_id, "scope": scope})
    try:
        if status != 200:
            raise ProviderError(f"{provider.device_url} refuses: {found.get('error', status)}")
        return Prompt(
            url=str(found["verification_uri"]),
            code=str(found["user_code"]),
            complete_url=str(found.get("verification_uri_complete", "")),
            device_code=str(found["device_code"]),
            interval_s=float(found.get("interval", _INTERVAL_S)),
            life_s=min(float(found["expires_in"]), _LIFE_MAX_S),
        )
    except (KeyError, TypeError, ValueError):
        raise ProviderError(f"{provider.device_url} gives no code") from None


def finish(
    provider: Provider,
    client_id: str,
    prompt: Prompt,
    now: Callable[[], Seconds],
    sleep: Callable[[Seconds], None],
) -> str:
    """The ID token, once the person has agreed. Raises ProviderError or LoginRefused."""
    ends, wait_s = now() + prompt.life_s, max(prompt.interval_s, 0.0)
    fields = {"grant_type": _GRANT, "device_code": prompt.device_code, "client_id": client_id}
    while True:
        sleep(wait_s)
        status, found = post(provider.token_url, fields)
        if status == 200 and isinstance(found.get("id_token"), str):
            return found["id_token"]
        fault = found.get("error") if status != 200 else "it sends no ID token"
        if fault == "slow_down":
            wait_s += _INTERVAL_S
        elif fault == "access_denied":
            raise LoginRefused("the login was refused by the person or the provider")
        elif fault != "authorization_pending":
            raise LoginRefused(f"{provider.token_url}: {str(fault)[:200]}")
        if now() >= ends:
            raise LoginRefused("nobody agreed to the login in time: try again")
