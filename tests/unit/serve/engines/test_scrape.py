"""Are engines asked often, never twice at once, and does a sick one hurt only itself?"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable

from aiohttp import web

from flyball.governor.events import Sampled
from flyball.model.signals import EngineSample
from flyball.serve.engines.pagereader import PAGE_BYTES_MAX
from flyball.serve.engines.scrape import ScrapeLimits, Scraper, Target

PATIENCE_S = 20.0
SLOW_S = 0.08
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
            await asyncio.sleep(3 * PATIENCE_S)
        elif path == "/slow":
            await asyncio.sleep(SLOW_S)
        elif path == "/drop":
            assert request.transport is not None
            request.transport.abort()
        elif path == "/error":
            return web.Response(status=500, text="1")
        elif path == "/auth":
            return web.Response(text="1" if "Authorization" in request.headers else "no")
        bodies = {"/garbage": b"\x00\xff" * 50, "/boom": b"boom", "/giant": b"1" * (5 << 20)}
        return web.Response(body=bodies.get(path, b"7"))


class Scene:
    """What a running scraper has seen so far, and the engines that it asks."""

    def __init__(self, base: str, engines: Engines, limits: ScrapeLimits) -> None:
        self.base = base
        self.engines = engines
        self.seen: dict[int, list[Sampled]] = defaultdict(list)
        self.scraper = Scraper(read, self._sampled, time.time, limits)

    def _sampled(self, event: Sampled) -> None:
        self.seen[event.endpoint].append(event)

    def ask(self, *paths: str, headers: dict[str, str] | None = None) -> None:
        targets = [
            Target(number, "vllm", self.base + path, headers or {})
            for number, path in enumerate(paths)
        ]
        self.scraper.replace(tuple(targets))

    async def until(self, condition: Callable[[], bool]) -> None:
        """However slow the machine is: what must come is waited for, not what time it takes."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < give_up_at, dict(self.engines.asked)
            await asyncio.sleep(0.005)


def play(act: Callable[[Scene], Awaitable[None]], limits: ScrapeLimits = LIMITS) -> None:
    """Run `act` with a scraper and engines."""

    async def run() -> None:
        engines = Engines()
        app = web.Application()
        app.router.add_route("GET", "/{tail:.*}", engines.answer)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        scene = Scene(f"http://127.0.0.1:{runner.addresses[0][1]}", engines, limits)
        scene.scraper.start()
        await act(scene)
        await scene.scraper.stop()
        await runner.cleanup()

    asyncio.run(run())


def test_sick_endpoints_are_told_as_such() -> None:
    sick = ["/hang", "/slow", "/garbage", "/boom", "/error", "/drop", "/giant"]

    async def act(scene: Scene) -> None:
        begun = time.monotonic()
        scene.ask("/ok", *sick)
        seen = scene.seen
        await scene.until(
            lambda: len(seen[0]) >= 10 and len(seen[2]) >= 3 and all(seen[n] for n in range(8))
        )
        took_s = time.monotonic() - begun
        assert scene.engines.most_at_once == 1, "at most one scrape under way per endpoint"
        assert all(event.sample for event in seen[0])
        for number, words in {
            1: "no answer within 2 s",
            3: "none of the metrics",
            4: "cannot be read",
            5: "status 500",
            6: "closed before an answer",
            7: str(PAGE_BYTES_MAX),
        }.items():
            assert all(event.sample is None and words in event.error for event in seen[number])
        assert all(event.sample for event in seen[2])
        assert len(seen[2]) <= took_s / SLOW_S, "a slow endpoint is asked as often as it can answer"

    play(act, ScrapeLimits(interval_s=0.02, timeout_s=2.0, concurrency_max=8))


def test_an_endpoint_that_hangs_holds_up_no_other() -> None:
    async def act(scene: Scene) -> None:
        scene.ask("/ok", "/hang")
        asked = scene.engines.asked
        await scene.until(lambda: scene.engines.under_way["/hang"] == 1)
        before = asked["/ok"]
        await scene.until(lambda: asked["/ok"] >= before + 10)
        assert asked["/hang"] == scene.engines.under_way["/hang"] == 1
        assert not scene.seen[1], "all that time it was waited for"

    play(act, ScrapeLimits(interval_s=0.02, timeout_s=2 * PATIENCE_S, concurrency_max=8))


def test_a_refused_connection_is_an_error_with_the_url() -> None:
    async def act(scene: Scene) -> None:
        scene.ask("/ok")
        await scene.until(lambda: bool(scene.seen[0]))
        scene.seen.clear()
        scene.scraper.replace((Target(0, "vllm", "http://127.0.0.1:1/metrics", {}),))
        await scene.until(lambda: bool(scene.seen[0]))
        assert scene.seen[0][0].sample is None and "127.0.0.1:1" in scene.seen[0][0].error

    play(act)


def test_after_a_change_only_the_new_targets_are_asked() -> None:
    async def act(scene: Scene) -> None:
        scene.ask("/old", "/old2")
        asked, seen = scene.engines.asked, scene.seen
        await scene.until(lambda: bool(seen[0]) and bool(seen[1]))
        scene.ask("/new")
        seen.clear()
        await scene.until(lambda: asked["/new"] >= 3)
        before = asked["/old"], asked["/old2"]
        await scene.until(lambda: asked["/new"] >= 10 and len(seen[0]) >= 9)
        assert (asked["/old"], asked["/old2"]) == before
        assert not seen[1] and len(seen[0]) <= asked["/new"]

    play(act)


def test_a_scrape_that_was_about_to_begin_leaves_nothing_behind_for_the_new_targets() -> None:
    async def act(scene: Scene) -> None:
        scene.ask("/old")
        time.sleep(2 * LIMITS.interval_s)  # it is due now, and the loop had no turn yet
        scene.scraper._turn()
        scene.ask("/new")  # the scrape of /old is planned and has not taken its first step
        asked = scene.engines.asked
        await scene.until(lambda: asked["/new"] >= 3)
        assert not asked["/old"]

    play(act)


def test_the_secret_of_an_endpoint_is_sent() -> None:
    async def act(scene: Scene) -> None:
        scene.ask("/auth", headers={"Authorization": "Bearer s"})
        await scene.until(lambda: len(scene.seen[0]) >= 2)
        assert all(event.sample for event in scene.seen[0])

    play(act, ScrapeLimits(interval_s=0.02, timeout_s=PATIENCE_S))


def test_a_busy_loop_is_asked_less_of() -> None:
    async def act(scene: Scene) -> None:
        scene.ask("/ok", "/ok2", "/ok3")
        give_up_at = time.monotonic() + PATIENCE_S
        while scene.scraper.stretch <= 1.5 and time.monotonic() < give_up_at:
            time.sleep(0.03)  # the loop is held up: what a busy process looks like
            await asyncio.sleep(0.002)
        assert scene.scraper.stretch > 1.5

    play(act)
