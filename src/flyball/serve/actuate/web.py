"""How is one HTTP call made for an actuator: bounded in time and size, with its secret and CA?"""

import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp

from flyball.serve.actuate.fault import ActuatorFault
from flyball.units import Bytes, Seconds

ANSWER_BYTES_MAX: Bytes = 1 << 20
SAID_CHARS_MAX = 200
# A call that was understood and refused will be refused again; these are worth another try.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


async def call(
    method: str,
    url: str,
    *,
    body: bytes = b"",
    fields: Mapping[str, str] | None = None,
    authority: str = "",
    timeout_s: Seconds = 10.0,
) -> bytes:
    """The body of a 2xx answer. Raises ActuatorFault for anything else; redirects are not followed,
    as they would carry the secret elsewhere. `authority` = PEM file of a CA, "" = the system's."""
    options: dict[str, Any] = {"headers": dict(fields or {}), "allow_redirects": False}
    try:
        if authority:
            options["ssl"] = ssl.create_default_context(cafile=authority)
        limits = aiohttp.ClientTimeout(total=timeout_s)
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.request(method, url, data=body or None, **options) as answer,
        ):
            said = await answer.content.read(ANSWER_BYTES_MAX)
            status = answer.status
    except TimeoutError:
        raise ActuatorFault(f"{url}: no answer within {timeout_s:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ActuatorFault(f"{url}: {error or type(error).__name__}") from None
    if 200 <= status < 300:
        return said
    text = said[:SAID_CHARS_MAX].decode("utf-8", "replace").strip()
    raise ActuatorFault(f"{url} answers {status}: {text}", is_final=status not in PASSING)
