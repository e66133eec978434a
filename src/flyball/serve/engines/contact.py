"""Do the endpoints answer, and as what the fleet file says? (Health, metrics, list of models.)"""

import asyncio
import ssl
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from flyball.dialects.engines import ENGINES, read_metrics
from flyball.model.fleet import Endpoint, Pool
from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.load import Config
from flyball.units import Seconds

AT_ONCE_MAX = 16
ANSWER_BYTES_MAX = 8 << 20
TIMEOUT_S: Seconds = 5.0


class Contact(Struct, frozen=True, kw_only=True):
    """What one endpoint said: whether it is reachable, and where it differs from the file."""

    endpoint: str
    url: str
    reachable: bool
    differences: tuple[str, ...] = ()


async def contact_all(config: Config, timeout_s: Seconds = TIMEOUT_S) -> list[Contact]:
    """Ask every endpoint, at most `AT_ONCE_MAX` at once; never raises for what an endpoint does."""
    gate = asyncio.Semaphore(AT_ONCE_MAX)
    limits = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(timeout=limits) as session:

        async def one(endpoint: Endpoint) -> Contact:
            async with gate:
                return await _contact(session, config, endpoint)

        return list(await asyncio.gather(*(one(each) for each in config.fleet.endpoints)))


async def _contact(session: aiohttp.ClientSession, config: Config, endpoint: Endpoint) -> Contact:
    pool = config.fleet.pool(endpoint.pool)
    engine = ENGINES[pool.engine]
    secret = config.credentials.get(endpoint.name)
    options: dict[str, Any] = {
        "headers": {"authorization": f"Bearer {secret}"} if secret else {},
        "ssl": _context(config.tls_ca.get(endpoint.name)),
        "allow_redirects": False,
    }
    path = engine.health_path or "/v1/models"
    status, answer = await _get(session, endpoint.url + path, options)
    if status == 0:
        return Contact(
            endpoint=endpoint.name,
            url=endpoint.url,
            reachable=False,
            differences=(answer.decode(),),
        )
    found = [] if status == 200 else [f"health: {path} answers {status}, not 200"]
    found += await _metrics(session, endpoint, pool, options)
    if "openai" in pool.surfaces:
        found += await _models(session, endpoint, pool, options)
    return Contact(
        endpoint=endpoint.name, url=endpoint.url, reachable=True, differences=tuple(found)
    )


def _context(authority: str | None) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=authority) if authority else True


async def _get(
    session: aiohttp.ClientSession, url: str, options: dict[str, Any]
) -> tuple[int, bytes]:
    """Status and body; (0, what went wrong) when there is no answer."""
    try:
        async with session.get(url, **options) as response:
            return response.status, await response.content.read(ANSWER_BYTES_MAX)
    except TimeoutError:
        return 0, b"no answer in time"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        return 0, said.replace(" ssl:default", "").encode()


async def _metrics(
    session: aiohttp.ClientSession, endpoint: Endpoint, pool: Pool, options: dict[str, Any]
) -> list[str]:
    if not endpoint.metrics_url:
        return []
    status, page = await _get(session, endpoint.metrics_url, options)
    if status != 200:
        said = f"answers {status}" if status else page.decode()
        return [
            f"metrics: {endpoint.metrics_url}: {said}; write `metrics_url: none` if it has none"
        ]
    sample = read_metrics(pool.engine, page)
    if sample.running is None and sample.waiting is None and sample.kv_usage is None:
        return [f"metrics: nothing of {pool.engine} there; is `engine` right?"]
    limits = pool.profile.limits
    if sample.kv_tokens_max and not 0.5 < sample.kv_tokens_max / limits.kv_tokens_max < 2.0:
        return [
            f"metrics: the engine holds {sample.kv_tokens_max} KV tokens, the profile "
            f"{pool.profile.name} says {limits.kv_tokens_max}; set profile.kv_tokens_max"
        ]
    return []


async def _models(
    session: aiohttp.ClientSession, endpoint: Endpoint, pool: Pool, options: dict[str, Any]
) -> list[str]:
    status, body = await _get(session, f"{endpoint.url}/v1/models", options)
    if status != 200:
        said = f"answers {status}" if status else body.decode()
        return [f"models: /v1/models {said}"]
    try:
        served = [str(model["id"]) for model in msgspec.json.decode(body)["data"]]
    except (msgspec.DecodeError, KeyError, TypeError):
        return ["models: /v1/models is not a list of models"]
    wanted = (pool.served_model,) if pool.served_model else pool.models
    return [
        f"models: {model!r} is not served there. {did_you_mean(model, served)}"
        f"Served: {listed(served)}"
        for model in wanted
        if model not in served
    ]
