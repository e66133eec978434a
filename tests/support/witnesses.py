"""Witnesses that answer over HTTP in the test's own process, and a log to bring before them."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from flyball.ledger.note import Signer, VerifierKey
from flyball.serve.witness.app import application
from flyball.serve.witness.state import WitnessState


class Running:
    """A witness under way: `url`, its `state`, the lines it told; `delay_s` before each answer."""

    def __init__(self, state: WitnessState, signers: Sequence[Signer]) -> None:
        self.state = state
        self.told: list[str] = []
        self.delay_s = 0.0
        self.url = ""
        self.requests = 0
        self.app = application(state, [one.key for one in signers], self.told.append)
        self.app.middlewares.append(self._count)

    @web.middleware
    async def _count(self, request: web.Request, handler) -> web.StreamResponse:
        self.requests += 1
        await asyncio.sleep(self.delay_s)
        return await handler(request)


@contextmanager
def witness_on(
    folder: Path, signers: Sequence[Signer], logs: Mapping[str, Sequence[VerifierKey]]
) -> Iterator[Running]:
    """A witness on a free port of this machine, on a thread of its own."""
    state = WitnessState(folder, signers, logs, time.time)
    running = Running(state, signers)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(running.app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(5)
    try:
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        state.close()
