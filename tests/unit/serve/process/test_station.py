"""Is one process's gateway put together as the configuration says, and does it answer its pages?"""

import asyncio
import json
import socket
import ssl
from pathlib import Path

import aiohttp
import msgspec
import pytest

from flyball.serve.process.pages import JSON, Condition
from flyball.serve.process.proofs import ProofTable
from flyball.serve.process.quotes import QuoteTable
from flyball.serve.process.station import (
    Page,
    Station,
    decode_config,
    encode_config,
    entrances,
    listen_tls,
    open_station,
    run_loop,
    with_role,
)
from flyball.serve.relay.sinks import Sinks
from support.configs import config


def test_a_configuration_survives_the_way_to_a_worker_with_its_secrets() -> None:
    before = config()
    after = decode_config(encode_config(before))
    assert after == before
    assert after.credentials["big-0"] == "engine-secret"
    assert "engine-secret" not in repr(after)


def test_what_is_not_ours_is_not_encoded() -> None:
    bad = msgspec.structs.replace(config(), tls_ca=object())
    with pytest.raises(NotImplementedError, match="object"):
        encode_config(bad)


def test_roles_and_entrances() -> None:
    found = config()
    assert with_role(found, "worker").policy.role == "worker"
    assert with_role(found, "worker").fleet == found.fleet
    ways = entrances(found)
    assert ways.access["big-0"].key == "engine-secret" and not ways.tls
    with pytest.raises((OSError, ssl.SSLError)):
        entrances(msgspec.structs.replace(found, tls_ca={"big-0": "/nowhere.pem"}))


def test_plain_http_without_certificates() -> None:
    assert listen_tls(config()) is None


async def opened(condition: Condition, asked: list[str]) -> Station:
    async def page(path: str) -> Page:
        asked.append(path)
        return 200, JSON, json.dumps({"path": path}).encode()

    def drop(_: object) -> None:
        return

    sinks = Sinks(record=drop, solve=drop, publish=drop, report=drop, notice=lambda _: None)
    return await open_station(
        config(),
        worker=0,
        host="127.0.0.1",
        port=0,
        sinks=sinks,
        condition=lambda: condition,
        page=page,
        quotes=QuoteTable(QuoteTable.create(1), 1),
        proofs=ProofTable(ProofTable.create()),
        is_shared=False,
    )


def test_its_pages() -> None:
    async def scene() -> None:
        asked: list[str] = []
        station = await opened(Condition(ledger="no space"), asked)
        base = f"http://127.0.0.1:{station.port}"
        async with aiohttp.ClientSession() as session:

            async def get(path: str) -> tuple[int, str]:
                async with session.get(base + path) as answer:
                    return answer.status, await answer.text()

            assert await get("/healthz") == (200, '{"alive":true}')
            status, text = await get("/readyz")
            assert status == 503 and "no space" in text
            models = json.loads((await get("/v1/models"))[1])["data"]
            assert {model["id"] for model in models} == {"m", "chat"}
            assert (await get("/v1/models/chat"))[0] == 200
            assert (await get("/v1/models/none"))[0] == 404
            for path in ("/metrics", "/v1/flyball/prices", "/v1/flyball/fleet"):
                assert await get(path) == (200, json.dumps({"path": path}))
            assert (await get("/nothing"))[0] == 404
        assert asked == ["/metrics", "/v1/flyball/prices", "/v1/flyball/fleet"]
        assert station.in_flight() == []
        await asyncio.sleep(0.05)
        assert station.new_pauses() and len(station.new_pauses()) <= 3
        assert await station.drain(0.1) == 0

    asyncio.run(scene())


def test_an_address_in_use_is_an_error() -> None:
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            station = await opened(Condition(), [])
            with pytest.raises(OSError):
                await station.gateway.listen("127.0.0.1", taken.getsockname()[1])
            await station.drain(0.0)

    asyncio.run(scene())


def test_a_reload_replaces_models_and_endpoints(tmp_path: Path) -> None:
    async def scene() -> None:
        station = await opened(Condition(), [])
        assert station.endpoints_count == 2
        more = '["http://127.0.0.1:8101", "http://127.0.0.1:8103"]'
        station.replace(config(('["http://127.0.0.1:8101"]', more)))
        assert station.endpoints_count == 3
        await station.drain(0.0)

    asyncio.run(scene())


def test_the_loop_runs_to_the_exit_code() -> None:
    async def three() -> int:
        return 3

    assert run_loop(three()) == 3
