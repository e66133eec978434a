"""How late is each answer, if requests are sent when they are due and not when the last is done?

    python bench/paced.py PLAN.json RESULT.json

A plan names an address, requests as bytes by class, a rate and a duration. Arrivals are Poisson,
drawn from the plan's seed; each request is timed from when it was due to the last byte of its
answer, so that a late generator or a queue counts as what it is (no coordinated omission). `rate` 0
= one after the other on each connection. The result: for each class, [status, seconds, seconds from
sending] of each.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

CONNECTIONS_MAX = 256
TAIL_S = 1.0
LOST = 0
# Stands for the call's number: the same bytes again would be a retry, not a new request.
NUMBER = "000000"


class Caller(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answered: asyncio.Future[int] | None = None
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().rpartition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if len(body) >= int(length) and self.answered is not None:
            self._data = b""
            if not self.answered.done():
                self.answered.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(LOST)


class Load:
    """All calls of one plan."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._idle: deque[Caller] = deque()
        self._count = 0
        self.calls: dict[str, list[tuple[int, float, float]]] = {name: [] for name in plan["calls"]}

    async def run(self) -> None:
        """Send everything, and wait for what is under way."""
        for _ in range(self._plan["connections"]):
            self._idle.append(await self._connect())
        if self._plan["rate"]:
            await self._paced()
        else:
            await asyncio.gather(*(self._in_turn() for _ in range(self._plan["connections"])))

    async def _connect(self) -> Caller:
        loop = asyncio.get_running_loop()
        host, port = self._plan["address"]
        _, caller = await loop.create_connection(Caller, host, port)
        return caller

    async def _paced(self) -> None:
        draw = random.Random(self._plan["seed"])
        names = list(self._plan["calls"])
        tasks: set[asyncio.Task[None]] = set()
        due = time.monotonic() + 0.1
        end = due + self._plan["seconds"]
        while due < end:
            wait_s = due - time.monotonic()
            if wait_s > 0.0:
                await asyncio.sleep(wait_s)
            task = asyncio.create_task(self._call(draw.choice(names), due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += draw.expovariate(self._plan["rate"])
        await asyncio.wait(tasks, timeout=TAIL_S) if tasks else None

    async def _in_turn(self) -> None:
        end = time.monotonic() + self._plan["seconds"]
        while time.monotonic() < end:
            for name in self._plan["calls"]:
                await self._call(name, time.monotonic())

    async def _call(self, name: str, due: float) -> None:
        caller = self._idle.pop() if self._idle else await self._connect()
        if caller.transport is None:
            caller = await self._connect()
        assert caller.transport is not None
        caller.answered = asyncio.get_running_loop().create_future()
        sent = time.monotonic()
        self._count += 1
        text = self._plan["calls"][name].replace(NUMBER, f"{self._count:06d}", 1)
        caller.transport.write(text.encode("latin-1"))
        status = await caller.answered
        now = time.monotonic()
        self.calls[name].append((status, now - due, now - sent))
        if caller.transport is not None and len(self._idle) < CONNECTIONS_MAX:
            self._idle.append(caller)


def main(words: list[str]) -> int:
    """Run the plan in the first file; what was measured goes to the second."""
    import gc

    import uvloop

    load = Load(json.loads(Path(words[0]).read_text()))
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(load.run())
    Path(words[1]).write_text(json.dumps(load.calls))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
