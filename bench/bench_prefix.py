"""What does the prefix index cost in memory and time, up to 10 million blocks over 64 endpoints?

Random 64-bit hashes in chains of 32 blocks: every entry is new and every table is cold, the worst
case for caches. The rival, at a tenth of that and in its own process as memory is compared, is what
one writes first: one OrderedDict per endpoint in least-recently-used order, asked one by one. Times
are CPU times of the process, so that neighbours on the machine count for less.
"""

import gc
import multiprocessing
import os
import random
import statistics
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import report
from flyball.governor.prefix import PrefixIndex

ENDPOINTS = 64
CHAIN = 32
LARGE, SMALL = 10_000_000, 1_000_000
FLEET = 64 * 2_000  # 64 engines of 2,000 blocks (500,000 tokens each at 1 KiB a block)
SAMPLE = 2_000
REPEATS = 7

Chain = tuple[int, ...]


class NaiveIndex:
    """One OrderedDict per endpoint, every block moved at each use."""

    def __init__(self, endpoints: int, blocks_max: tuple[int, ...]) -> None:
        self._blocks_max = blocks_max
        self._held: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(endpoints)]

    def match(self, prefix: Chain) -> dict[int, int]:
        """Walks the chain at every endpoint."""
        found: dict[int, int] = {}
        for endpoint, held in enumerate(self._held):
            depth = 0
            for block in prefix:
                if block not in held:
                    break
                depth += 1
            if depth:
                found[endpoint] = depth
        return found

    def insert(self, endpoint: int, prefix: Chain) -> None:
        """Touches leaves first, evicts the oldest."""
        held = self._held[endpoint]
        for block in reversed(prefix):
            held[block] = None
            held.move_to_end(block)
        while len(held) > self._blocks_max[endpoint]:
            held.popitem(last=False)


def resident_bytes() -> int:
    """Resident set size of this process (Linux: pages of /proc/self/statm)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def per_call_us(call: Callable[..., Any], asked: list[tuple[Any, ...]]) -> list[float]:
    """Microseconds per call, one figure a repeat."""
    found: list[float] = []
    for _ in range(REPEATS):
        began = time.process_time()
        for arguments in asked:
            call(*arguments)
        found.append((time.process_time() - began) / len(asked) * 1e6)
    return found


def measure(kind: type[Any], blocks: int) -> dict[str, list[float]]:
    """Build an index of that many blocks and time it; runs in a process of its own."""
    gc.disable()
    draw = random.Random(1).getrandbits
    before = resident_bytes()
    index = kind(ENDPOINTS, (blocks // ENDPOINTS,) * ENDPOINTS)
    kept: list[tuple[int, Chain]] = []
    began = time.process_time()
    chains = blocks // CHAIN
    for number in range(chains):
        chain = tuple(draw(64) for _ in range(CHAIN))
        index.insert(number % ENDPOINTS, chain)
        if number >= chains - SAMPLE:
            kept.append((number % ENDPOINTS, chain))
    build_s = time.process_time() - began
    memory = resident_bytes() - before
    strange = [tuple(draw(64) for _ in range(CHAIN)) for _ in range(SAMPLE)]
    halves = [(c[:20] + s[20:],) for (_, c), s in zip(kept, strange, strict=True)]
    found = {
        "build s": [build_s],
        "memory GB": [memory / 1e9],
        "bytes per block": [memory / (chains * CHAIN)],
        "match miss us": per_call_us(index.match, [(chain,) for chain in strange]),
        "match 32 of 32 us": per_call_us(index.match, [(chain,) for _, chain in kept]),
        "match 20 of 32 us": per_call_us(index.match, halves),
    }
    recent = kept[-ENDPOINTS:]
    for endpoint, chain in recent:
        index.insert(endpoint, chain)
    one_new: list[float] = []
    for _ in range(REPEATS):
        asked = [(e, (*c[:-1], draw(64))) for e, c in recent for _ in range(8)]
        began = time.process_time()
        for endpoint, chain in asked:
            index.insert(endpoint, chain)
        one_new.append((time.process_time() - began) / len(asked) * 1e6)
    found["insert 1 new of 32 us"] = one_new
    found["insert 32 new us"] = []
    for start in range(0, SAMPLE, 200):
        began = time.process_time()
        for number, chain in enumerate(strange[start : start + 200]):
            index.insert(number % ENDPOINTS, chain)
        found["insert 32 new us"].append((time.process_time() - began) / 200 * 1e6)
    return found


BUDGETS = {
    "build s": 60.0,
    "memory GB": 1.5,
    "match miss us": 0.5,
    "match 32 of 32 us": 5.0,
    "insert 1 new of 32 us": 5.0,
}


def rows_of(label: str, ours: dict[str, list[float]], rival: dict[str, list[float]] | None) -> Any:
    """One row per figure; ratio = rival / ours, above 1 where ours is better."""
    for figure, found in ours.items():
        name, unit = figure.rsplit(" ", 1) if figure != "bytes per block" else (figure, "B")
        value = statistics.median(found)
        other = statistics.median(rival[figure]) if rival else None
        yield {
            "figure": f"prefix {label}: {name}",
            "value": round(value, 3),
            "unit": unit,
            "spread": f"{min(found):.3g}..{max(found):.3g}",
            "rival": None if other is None else f"OrderedDicts {other:.3g}",
            "ratio": None if other is None else round(other / value, 2),
            "budget": BUDGETS.get(figure) if blocks_are_many(label) else None,
            "note": f"{ENDPOINTS} endpoints, chains of {CHAIN}, full, random hashes",
        }


def blocks_are_many(label: str) -> bool:
    """The budgets are for the largest index."""
    return label == "10 M"


def main() -> None:
    """Measure each index in a fresh process, print and write the rows."""
    start = multiprocessing.get_context("spawn")
    rows: list[dict[str, object]] = []
    for label, blocks, naive in (
        ("10 M", LARGE, False),
        ("1 M", SMALL, True),
        ("128 k", FLEET, True),
    ):
        found: list[Any] = []
        for kind in (PrefixIndex, NaiveIndex)[: 2 if naive else 1]:
            with start.Pool(1) as pool:
                found.append(pool.apply(measure, (kind, blocks)))
        rows.extend(rows_of(label, found[0], found[1] if naive else None))
    report.write("prefix", rows)


if __name__ == "__main__":
    main()
