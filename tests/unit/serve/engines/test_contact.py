"""Is what endpoints really say compared with the fleet file?"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from flyball.serve.engines.contact import Contact, contact_all
from support.configs import config

PAGE = b"vllm:num_requests_running 2\nvllm:num_requests_waiting 0\n"
MODELS = {"object": "list", "data": [{"id": "m"}, {"id": "chat"}]}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ask(
    health: int = 200, page: bytes | None = PAGE, models: object = MODELS, timeout_s: float = 5.0
) -> Contact:
    """What an engine with these answers is found to be; health 0 = it never answers."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/health":
            if health == 0:
                await asyncio.sleep(timeout_s * 2)
            return web.Response(status=health)
        if request.path == "/metrics":
            return web.Response(body=page) if page is not None else web.Response(status=404)
        return web.json_response(models)

    async def run() -> Contact:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        found = config(("http://127.0.0.1:8101", f"http://127.0.0.1:{port}"))
        try:
            first, second = await contact_all(found, timeout_s)
        finally:
            await runner.cleanup()
        assert (second.endpoint, second.reachable) == ("big-0", False)
        assert "8102" in second.differences[0]
        return first

    return asyncio.run(run())


def test_an_engine_as_the_file_says_agrees() -> None:
    found = ask()
    assert (found.endpoint, found.reachable, found.differences) == ("small-0", True, ())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"health": 503}, "health: /health answers 503"),
        ({"page": None}, "answers 404; write `metrics_url: none`"),
        ({"page": b"<html>"}, "nothing of vllm there"),
        ({"page": PAGE + b'vllm:cache_config_info{block_size="16",num_gpu_blocks="9"} 1\n'},
         "the engine holds 144 KV tokens"),
        ({"models": {"data": [{"id": "mm"}]}}, "'m' is not served there. Did you mean 'mm'?"),
        ({"models": ["odd"]}, "not a list of models"),
    ],
)  # fmt: skip
def test_differences_are_told(said: dict[str, object], told: str) -> None:
    found = ask(**said)  # type: ignore[arg-type]
    assert found.reachable
    assert any(told in line for line in found.differences), found.differences


def test_an_engine_that_hangs_is_given_up() -> None:
    found = ask(health=0, timeout_s=0.2)
    assert (found.reachable, found.differences) == (False, ("no answer in time",))
