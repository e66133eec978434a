"""How does an emulated engine start, tell its address, and stop?"""

import asyncio
import signal
from collections.abc import Callable

from aiohttp import web

from flyball.serve.emulator.app import Emulator, Settings
from flyball.serve.emulator.drive import Plant
from flyball.units import Seconds

GRACE_S: Seconds = 1.0  # an engine that is stopped drops its streams; clients must cope


async def run(
    plant: Plant, settings: Settings, host: str, port: int, announce: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the URL once it answers. OSError if the
    address cannot be taken."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(
        Emulator(plant, settings).application(),
        access_log=None,
        handler_cancellation=True,  # a client that is gone frees its sequence slot at once
        shutdown_timeout=GRACE_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        bound = runner.addresses[0][1]
        announce(f"http://{host}:{bound}")
        await stopped.wait()
    finally:
        await runner.cleanup()
