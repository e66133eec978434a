"""Does the emulated engine start at once, tell its address, and stop when asked?"""

import asyncio
import os
import signal
import urllib.request

from flyball.dialects.profiles import profile
from flyball.serve.emulator.app import Settings
from flyball.serve.emulator.process import run
from flyball.sim.engine import Engine


def test_it_answers_once_announced_and_ends_on_sigterm() -> None:
    chosen = profile("cpu/onnx-small")
    told: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def probe() -> None:
            while not told:
                await asyncio.sleep(0.005)
            status = await loop.run_in_executor(
                None, lambda: urllib.request.urlopen(f"{told[0]}/health").status
            )
            assert status == 200
            os.kill(os.getpid(), signal.SIGTERM)

        settings = Settings(profile=chosen, models=("onnx-small",))
        serving = run(Engine(chosen), settings, "127.0.0.1", 0, told.append)
        await asyncio.wait_for(asyncio.gather(serving, probe()), 10)

    asyncio.run(main())
    assert told[0].startswith("http://127.0.0.1:")
