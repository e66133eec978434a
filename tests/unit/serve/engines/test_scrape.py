"""Are engines asked often, never twice at once, and does a sick one hurt only itself?"""

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable

from aiohttp import web

from flyball.governor.events import Sampled
from flyball.model.signals import EngineSample
from flyball.serve.engines.pagereader import PAGE_BYTES_MAX
from flyball.serve.engines.scrape import ScrapeLimits, Scraper, Target

LIMITS = ScrapeLimits(interval_s=0.02, timeout_s=0.2, concurrency_max=8)


def read(kind: str, page: bytes) -> EngineSample:
    if page == b"boom":
        raise RuntimeError("page of an unknown shape")
    return EngineSample(running=int(page)) if page.isdigit() else EngineSample()


class Engines:
    """Endpoints by path: /ok/N, /hang, /slow, /garbage, /boom, /error, /giant, /drop, /auth."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.under_way: Counter[str] = Counter()
        self.most_at_once = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked[path] += 1
        self.under_way[path] += 1
        self.most_at_once = max(self.most_at_once, self.under_way[path])
        try:
            return await self._answer(path, request)
        finally:
            self.under_way[path] -= 1

    async def _answer(self, path: str, request: web.Request) -> web.StreamResponse:
        if path == "/hang":
            await asyncio.sleep(3)
        elif path == "/slow":
            await asyncio.sleep(0.08)
        elif path == "/drop":
            assert request.transport is not None
            request.transport.abort()
        elif path == "/error":
            return web.Response(status=500, text="1")
        elif path == "/auth":
            return web.Response(text="1" if "Authorization" in request.headers else "no")
        bodies = {"/garbage": b"\x00\xff" * 50, "/boom": b"boom", "/giant": b"1" * (5 << 20)}
        return web.Response(body=bodies.get(path, b"7"))


def scene(
    paths: list[str],
    seconds: float,
    headers: dict[str, str] | None = None,
    then: Callable[[Scraper, str], Awaitable[None]] | None = None,
) -> tuple[Engines, dict[int, list[Sampled]]]:
    async def run() -> tuple[Engines, dict[int, list[Sampled]]]:
        engines = Engines()
        app = web.Application()
        app.router.add_route("GET", "/{tail:.*}", engines.answer)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        seen: dict[int, list[Sampled]] = defaultdict(list)
        scraper = Scraper(read, lambda event: seen[event.endpoint].append(event), time.time, LIMITS)
        scraper.replace(
            tuple(
                Target(number, "vllm", base + path, headers or {})
                for number, path in enumerate(paths)
            )
        )
        scraper.start()
        await asyncio.sleep(seconds)
        if then:
            await then(scraper, base)
        await scraper.stop()
        await runner.cleanup()
        return engines, seen

    return asyncio.run(run())


def test_sick_endpoints_are_told_as_such_and_hold_up_no_other() -> None:
    sick = ["/hang", "/slow", "/garbage", "/boom", "/error", "/drop", "/giant"]
    engines, seen = scene(["/ok", *sick], 0.9)
    assert engines.most_at_once == 1, "at most one scrape under way per endpoint"
    good = seen[0]
    assert len(good) >= 10 and all(event.sample for event in good)
    gaps = [later.at - sooner.at for sooner, later in itertools.pairwise(good)]
    assert max(gaps) < 0.25, "the hung endpoint (0.2 s) does not stall the good one"
    for number, words in {
        1: "no answer within 0.2 s",
        3: "none of the metrics",
        4: "cannot be read",
        5: "status 500",
        6: "closed before an answer",
        7: str(PAGE_BYTES_MAX),
    }.items():
        assert seen[number], sick[number - 1]
        assert all(event.sample is None and words in event.error for event in seen[number])
    assert all(event.sample for event in seen[2])
    assert 3 <= len(seen[2]) <= 11, "a slow endpoint is asked as often as it can answer"


def test_a_refused_connection_is_an_error_with_the_url() -> None:
    async def refuse(scraper: Scraper, base: str) -> None:
        scraper.replace((Target(0, "vllm", "http://127.0.0.1:1/metrics", {}),))
        await asyncio.sleep(0.1)

    _, seen = scene(["/ok"], 0.05, then=refuse)
    assert seen[0][-1].sample is None and "127.0.0.1:1" in seen[0][-1].error


def test_after_a_change_only_the_new_targets_are_asked() -> None:

    async def change(scraper: Scraper, base: str) -> None:
        scraper.replace((Target(0, "vllm", base + "/new", {}),))
        await asyncio.sleep(1.0)

    engines, seen = scene(["/old", "/old2"], 0.1, then=change)
    assert engines.asked["/new"] >= 2
    assert len(seen[1]) <= engines.asked["/old2"]
    last_old = max(event.at for event in seen[1])
    assert max(event.at for event in seen[0]) > last_old + 0.05


def test_the_secret_of_an_endpoint_is_sent() -> None:
    _, seen = scene(["/auth"], 0.1, headers={"Authorization": "Bearer s"})
    assert seen[0] and all(event.sample for event in seen[0])


def test_a_busy_loop_is_asked_less_of() -> None:
    async def burden(scraper: Scraper, base: str) -> None:
        give_up_at = time.monotonic() + 10.0
        while scraper.stretch <= 1.5 and time.monotonic() < give_up_at:
            time.sleep(0.03)  # the loop is held up: what a busy process looks like
            await asyncio.sleep(0.002)
        assert scraper.stretch > 1.5

    scene(["/ok", "/ok2", "/ok3"], 0.05, then=burden)
