"""Which HTTP requests does a witness answer, and how does it start and stop?

`POST /add-checkpoint` as in C2SP tlog-witness; `GET /` tells the keys and the size of each log.
Requests are answered one after the other: the check and the keeping of the new checkpoint are one
step, without which two requests at once could roll a log back.
"""

import asyncio
import signal
from collections.abc import Callable

import msgspec
from aiohttp import web

from flyball.ledger.note import VerifierKey
from flyball.ledger.witness import BODY_BYTES_MAX
from flyball.serve.witness.state import WitnessState
from flyball.units import Seconds

READ_S_MAX: Seconds = 5.0
GRACE_S: Seconds = 1.0
PATH = "add-checkpoint"


def application(
    state: WitnessState, keys: list[VerifierKey], tell: Callable[[str], None]
) -> web.Application:
    """The routes; `tell` gets a line for each submission that is evidence of a fork."""

    async def add_checkpoint(request: web.Request) -> web.Response:
        try:
            body = await asyncio.wait_for(request.read(), READ_S_MAX)
        except TimeoutError:
            return web.Response(status=408, text="the body did not come in time\n")
        try:
            verdict, answer = state.submit(body)
        except OSError as error:
            tell(f"nothing can be cosigned: {error.strerror or error}")
            return web.Response(status=503, text="this witness cannot keep its state now\n")
        if verdict.is_suspect:
            tell(f"a log signed what does not extend its past ({verdict.status}): see evidence/")
        return web.Response(
            status=verdict.status,
            body=answer.encode(),
            headers={"content-type": verdict.content_type},
        )

    async def about(request: web.Request) -> web.Response:
        told = {"keys": [key.text() for key in keys], "logs": state.sizes()}
        return web.Response(body=msgspec.json.encode(told), content_type="application/json")

    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.add_routes([web.post(f"/{PATH}", add_checkpoint), web.get("/", about)])
    return app


async def run(app: web.Application, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the URL. OSError: the address is taken."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        announce(f"http://{host}:{runner.addresses[0][1]}")
        await stopped.wait()
    finally:
        await runner.cleanup()
