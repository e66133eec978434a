"""What does the gateway cost without its core? Each request goes to the next engine.

    python bench/bare_gateway.py FLEET.YAML PORT

The whole data plane of `flyball serve` runs; nothing is identified, priced, recorded or scraped.
"""

import asyncio
import gc
import signal
import sys
from pathlib import Path

from flyball.governor.commands import Command, Forward
from flyball.governor.events import Event, RequestArrived
from flyball.model.decision import Allowance
from flyball.serve.config import Config, load
from flyball.serve.process.station import entrances, run_loop
from flyball.serve.relay.gateway import Gateway
from flyball.serve.relay.sinks import Sinks

DEADLINE_S = 60.0


class RoundRobin:
    """A core that decides nothing: engine after engine, no fall-back, one attempt."""

    def __init__(self, endpoints: int) -> None:
        self._endpoints = endpoints
        self._next = 0

    def handle(self, event: Event) -> list[Command]:
        """Forward each request that arrives; let all else pass."""
        if type(event) is not RequestArrived:
            return []
        self._next = (self._next + 1) % self._endpoints
        allowance = Allowance(
            tokens_offered=0, tokens_kept=0, output_tokens_max=0, attempts_max=1,
            deadline_at=event.at + DEADLINE_S,
        )  # fmt: skip
        return [
            Forward(
                request_id=event.request_id, attempt=1, endpoint=self._next, fallbacks=(),
                allowance=allowance, price_usd=0.0, board_version=0, rule="round-robin",
                class_name="",
            )
        ]  # fmt: skip


async def serve(config: Config, port: int) -> int:
    """Until SIGTERM."""
    sinks = Sinks(
        record=lambda record: None,
        solve=lambda problem: None,
        publish=lambda board: None,
        report=lambda settled: None,
        notice=lambda notice: print(notice, file=sys.stderr),
    )
    gateway = Gateway(
        RoundRobin(len(config.fleet.endpoints)),
        config.fleet,
        sinks,
        limits=config.limits,
        entrances=entrances(config),
    )
    await gateway.listen("127.0.0.1", port)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    gc.freeze()
    await ended.wait()
    await gateway.drain(1.0)
    return 0


if __name__ == "__main__":
    sys.exit(run_loop(serve(load(Path(sys.argv[1])), int(sys.argv[2]))))
