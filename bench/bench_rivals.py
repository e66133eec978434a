"""How long does each rival's core take to place one request, at 8 and 64 endpoints?

A whole life (arrived, first byte, served) with scrapes every 50 requests; prompts of 20 blocks in
300 sessions. It says how fast the twin can compare, not how fast the products themselves are.
"""

import gc
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.governor.events import FirstByte, RequestArrived, Sampled, Served
from flyball.governor.governor import Governor
from flyball.model.signals import EngineSample
from flyball.sim.loops import Core
from flyball.sim.rivals import ROUTERS, RivalCore, Setting
from support import fleets

ROUNDS = 5
REQUESTS = 2000
IN_FLIGHT = 100
SESSIONS = 300
BLOCKS = 20


def core(name: str, endpoints: int) -> Core:
    """A rival's, or the governor."""
    fleet, policy = fleets.fleet(endpoints, 0), fleets.policy()
    if name == "governor":
        return Governor(fleet, policy)
    setting = Setting(fleet=fleet, chance=np.random.default_rng(1), block_tokens=64)
    return RivalCore(fleet, policy, ROUTERS[name](setting, None))


def arrivals() -> list[RequestArrived]:
    """All requests of all rounds."""
    heads = [
        fleets.head(
            prefix=tuple(one * 1_000_003 + block for block in range(BLOCKS)),
            prompt_bytes=BLOCKS * 256,
            body_digest=one,
        )
        for one in range(SESSIONS)
    ]
    return [
        RequestArrived(at=1.0 + n * 1e-3, request_id=f"r{n}", head=heads[n % SESSIONS], draw=0.37)
        for n in range((ROUNDS + 1) * REQUESTS)
    ]


def run(name: str, endpoints: int, events: list[RequestArrived]) -> list[float]:
    """Microseconds per life, one figure a round; the first round warms up."""
    one, found = core(name, endpoints), []
    sample = EngineSample(waiting=0, running=5, kv_usage=0.3)
    gc.collect()
    for turn in range(ROUNDS + 1):
        spent = 0.0
        for number in range(turn * REQUESTS, (turn + 1) * REQUESTS):
            event = events[number]
            if number % 50 == 0:
                for index in range(endpoints):
                    one.handle(Sampled(event.at, index, sample))
            begin = time.thread_time()
            one.handle(event)
            one.handle(FirstByte(event.at, event.request_id))
            if number >= IN_FLIGHT:
                old = events[number - IN_FLIGHT].request_id
                one.handle(Served(event.at, old, 200, input_tokens=1280, output_tokens=20))
            spent += time.thread_time() - begin
        if turn:
            found.append(spent / REQUESTS * 1e6)
    return found


def main() -> None:
    """One row for each core and size; `rival` is the governor on the same events."""
    rows: list[dict[str, object]] = []
    events = arrivals()
    for endpoints in (8, 64):
        governor = statistics.median(run("governor", endpoints, events))
        for name in ROUTERS:
            rounds = run(name, endpoints, events)
            median = statistics.median(rounds)
            rows.append(
                {
                    "figure": f"one request through {name}, {endpoints} endpoints",
                    "value": median,
                    "unit": "us",
                    "spread": [min(rounds), max(rounds)],
                    "rival": f"the governor {governor:.1f}",
                    "ratio": governor / median,
                    "note": "CPU time of one life; scrapes apart",
                }
            )
    report.write("rivals", rows)


if __name__ == "__main__":
    main()
