"""How soon does one worker see what another has in flight, and what does the exchange cost?

Two processes run the workers' own exchange (`PeerExchange` on the workers' own timer). One changes
its row and notes the time; the other notes when it first sees the change. Both read the same
monotonic clock. The budget is 50 ms.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import time

import report
from flyball.model.signals import PeerLoad
from flyball.serve.process.peers import PeerExchange, PeerTable
from flyball.serve.process.workers import EXCHANGE_S, every

WORKERS = 4
ENDPOINTS = 64
BUDGET_MS = 50.0


def load(endpoint: int, running: int) -> PeerLoad:
    """Work at one endpoint; `running` is the number of the round."""
    return PeerLoad(
        endpoint=endpoint, running=running, pending=1, pending_prefill_tokens=1.0, kv_tokens=9.0
    )


def talk(fd: int, rounds: int, told_at: "multiprocessing.Array[float]") -> None:
    """The worker whose work changes at random moments."""

    async def run() -> None:
        side = PeerExchange(PeerTable(fd, WORKERS, ENDPOINTS), 1)
        current: list[PeerLoad] = []
        exchange = asyncio.create_task(
            every(EXCHANGE_S, lambda: side.publish(1, current, ENDPOINTS, 0.0))
        )
        for number in range(1, rounds + 1):
            await asyncio.sleep(0.02 + 0.03 * random.random())
            current = [load(endpoint, number) for endpoint in range(ENDPOINTS)]
            told_at[number] = time.monotonic()
        await asyncio.sleep(0.2)
        exchange.cancel()

    asyncio.run(run())


def lags(fd: int, rounds: int, told_at: "multiprocessing.Array[float]") -> list[float]:
    """Milliseconds from each change to its being seen here."""

    async def run() -> list[float]:
        side = PeerExchange(PeerTable(fd, WORKERS, ENDPOINTS), 0)
        found: dict[int, float] = {}

        def look() -> None:
            seen = side.read(1, ENDPOINTS)
            if seen:
                found.setdefault(seen[0].running, time.monotonic())

        exchange = asyncio.create_task(every(EXCHANGE_S, look))
        ends = time.monotonic() + 10 + rounds * 0.06
        while rounds not in found and time.monotonic() < ends:
            await asyncio.sleep(0.01)
        exchange.cancel()
        return [1e3 * (at - told_at[number]) for number, at in found.items()]

    return asyncio.run(run())


def cost_us(turns: int = 2000) -> float:
    """CPU of one turn (publish what changed, read what changed), 64 endpoints, 4 workers."""
    fd = PeerTable.create(WORKERS, ENDPOINTS)
    sides = [PeerExchange(PeerTable(fd, WORKERS, ENDPOINTS), worker) for worker in range(WORKERS)]
    views = [[load(e, n) for e in range(ENDPOINTS)] for n in (1, 2)]
    begun = time.process_time()
    for turn in range(turns):
        sides[0].publish(1, views[turn % 2], ENDPOINTS, 0.0)
        sides[1].read(1, ENDPOINTS)
    spent = time.process_time() - begun
    os.close(fd)
    return 1e6 * spent / turns


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    rounds = parser.parse_args().rounds
    context = multiprocessing.get_context("fork")
    told_at = context.Array("d", rounds + 1, lock=False)
    fd = PeerTable.create(WORKERS, ENDPOINTS)
    talker = context.Process(target=talk, args=(fd, rounds, told_at))
    talker.start()
    found = sorted(lags(fd, rounds, told_at))
    talker.join()
    quantiles = statistics.quantiles(found, n=100)
    note = f"{len(found)} changes, exchange each {EXCHANGE_S * 1e3:.0f} ms"
    rows = [
        {"figure": f"lag p{p}", "value": round(quantiles[p - 1], 2), "unit": "ms",
         "budget": BUDGET_MS, "note": note}
        for p in (50, 90, 99)
    ]  # fmt: skip
    rows.append(
        {"figure": "one exchange, all changed", "value": round(cost_us(), 1), "unit": "us CPU",
         "note": f"{ENDPOINTS} endpoints, {WORKERS} workers"}
    )  # fmt: skip
    report.write("peers", rows)
    print(json.dumps({row["figure"]: row["value"] for row in rows}))


if __name__ == "__main__":
    main()
