"""How many requests a second does the plant simulate, and how does its time grow with the load?

Loads: the Azure conversation hour (2023, 19,366 requests) and the Mooncake conversation hour
(12,031 requests that share prefixes) where the data sets lie ($FLYBALL_DATA, default
../shared/data); else, and for other sizes, chat lengths drawn log-normal from a fixed seed (means
1,155 tokens in, 211 out, 5.53 requests/s a replica). Rival: the same engine step by step
(`sim/oracle.py`). A fleet is driven as a driver must: all events in order of time, one heap.
"""

import gzip
import heapq
import math
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import report
from flyball.dialects.profiles import profile
from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally
from flyball.model.plant import Job
from flyball.sim import oracle
from flyball.sim.engine import Engine
from flyball.sim.replay import replay

ROUNDS = 5
RATE_PER_S = 5.53
PROFILE = "h100/llama-3.1-8b"
AZURE = "azure_llm_2023_conv/AzureLLMInferenceTrace_conv.csv.gz"
MOONCAKE = "mooncake_conversation/conversation_trace.jsonl.gz"
Load = list[tuple[float, Job]]


def draw_load(count: int, rate_per_s: float) -> Load:
    chance = random.Random(1)
    at, load = 0.0, []
    for i in range(count):
        at += chance.expovariate(rate_per_s)
        tokens = min(14_000, max(1, int(chance.lognormvariate(6.55, 1.0))))
        answer = min(1_500, max(1, int(chance.lognormvariate(5.05, 0.8))))
        load.append((at, Job(str(i), tokens, answer)))
    return load


def read_load(kind: str, path: str) -> Load | None:
    """A real trace; None = it is not on this machine."""
    named = os.environ.get("FLYBALL_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / path).is_file():
        return None
    with gzip.open(folder / path) as lines:
        rows = formats.read(kind, lines, path, Tally())
        return [
            (row.at_s, Job(str(i), row.input_tokens, row.output_tokens, row.prefix_blocks))
            for i, row in enumerate(rows)
        ]


def faster(load: Load, times: float) -> Load:
    return [(at / times, job) for at, job in load]


def run_engine(load: Load) -> None:
    engine = Engine(profile(PROFILE), prefix_cache=False)
    for at, job in load:
        engine.submit(at, job)
    engine.advance(math.inf)


def run_replay(load: Load) -> None:
    at = [at for at, _ in load]
    inputs = [job.input_tokens for _, job in load]
    outputs = [job.output_tokens for _, job in load]
    replay(profile(PROFILE), at, inputs, outputs)


class Fleet:
    """Engines whose events are handled in order of time; a request goes where its prefix went
    last, else to the engine with the fewest inside of two drawn ones."""

    def __init__(self, replicas: int, prefix_tokens: int) -> None:
        chosen = profile(PROFILE)
        self.engines = [
            Engine(chosen, prefix_cache=prefix_tokens > 0, prefix_tokens=prefix_tokens)
            for _ in range(replicas)
        ]
        self.inside = [0] * replicas
        self.due = [math.inf] * replicas
        self.events: list[tuple[float, int]] = []
        self.owner: dict[int, int] = {}
        self.chance = random.Random(2)
        self.finished = 0

    def run(self, load: Load) -> None:
        for at, job in load:
            self.until(at)
            place = self.route(job)
            engine = self.engines[place]
            self.count(place, engine.advance(at))
            engine.submit(at, job)
            self.inside[place] += 1
            self.schedule(place)
        self.until(math.inf)
        assert self.finished == len(load)

    def until(self, to: float) -> None:
        events, due = self.events, self.due
        while events and events[0][0] < to:
            at, place = heapq.heappop(events)
            if due[place] == at:
                self.count(place, self.engines[place].advance(at))
                self.schedule(place)

    def schedule(self, place: int) -> None:
        at = self.engines[place].next_at()
        self.due[place] = math.inf if at is None else at
        if at is not None:
            heapq.heappush(self.events, (at, place))

    def count(self, place: int, told: list) -> None:
        for one in told:
            if one.kind == "finished":
                self.inside[place] -= 1
                self.finished += 1

    def route(self, job: Job) -> int:
        hashes, places = job.block_hashes, len(self.engines)
        place = -1
        for name in reversed(hashes[1:]):  # the first block is common to many
            place = self.owner.get(name, -1)
            if place >= 0:
                break
        if place < 0:
            one, other = int(self.chance.random() * places), int(self.chance.random() * places)
            place = one if self.inside[one] <= self.inside[other] else other
        for name in hashes[1:]:
            self.owner[name] = place
        return place


def rates(load: Load, run: Callable[[Load], object], rounds: int = ROUNDS) -> list[float]:
    """Requests per second of CPU time, by round: others on the machine must not count."""
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        run(load)
        found.append(len(load) / (time.process_time() - begun))
    return sorted(found)


def row(figure: str, found: list[float], budget: int | None, note: str = "") -> dict[str, object]:
    return {
        "figure": figure, "value": round(statistics.median(found)), "unit": "simulated req/CPU-s",
        "spread": (round(found[0]), round(found[-1])), "budget": budget, "note": note,
    }  # fmt: skip


def bench_one() -> list[dict[str, object]]:
    load = read_load("azure", AZURE)
    name = "Azure conversation" if load else "drawn chat"
    load = load or draw_load(19_366, RATE_PER_S)
    rows = []
    for times in (1, 4):
        some = faster(load, times)
        part = some[:300]
        steps = rates(part, lambda few: oracle.replay(profile(PROFILE), few), 3)
        found = rates(some, run_replay)
        whole = row(f"one replica, {name} at {times}x, whole trace", found, 200_000)
        whole |= {
            "rival": "the same engine step by step, first 300 requests",
            "ratio": round(rates(part, run_replay, 3)[1] / steps[1], 1),
        }
        driven = rates(some, run_engine)
        rows += [
            whole,
            row(f"the same through Engine, all its events told ({times}x)", driven, None),
        ]
    return rows


def fleet_alone(replicas: int, requests: int, rounds: int) -> tuple[list[float], float]:
    """In a process of its own: requests/s of each round, and the most memory used, MiB."""
    load = draw_load(requests, RATE_PER_S * replicas)
    found = rates(load, lambda some: Fleet(replicas, 0).run(some), rounds)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_fleets() -> list[dict[str, object]]:
    rows = []
    load = read_load("mooncake", MOONCAKE)
    if load:
        found = rates(load, lambda some: Fleet(8, 512).run(some), 3)
        rows.append(row("8 replicas, prefix cache and router, Mooncake", found, 20_000))
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found, mib = pool.apply(fleet_alone, (1000, 100_000, 3))
    title = "1,000 replicas, two-choice router, 100,000 requests"
    rows.append(row(title, found, 5_000))
    rows.append({"figure": f"{title}: memory", "value": round(mib), "unit": "MiB", "budget": 2048})
    return rows


def growth(title: str, sizes: list[int], measure: Callable[[int], float]) -> dict[str, object]:
    """Seconds at each size, as text, and the steepest slope of their logarithms."""
    points = [(size, measure(size)) for size in sizes]
    print(f"\n{title}\n{'size':>9} {'seconds':>9}  slope  (each # a factor of 1.5)")
    slopes, before = [], None
    for size, spent in points:
        slope = math.log(spent / before[1]) / math.log(size / before[0]) if before else math.nan
        slopes.append(slope)
        bar = "#" * round(math.log(spent / points[0][1]) / math.log(1.5) + 1)
        print(f"{size:>9,} {spent:>9.4f}  {slope:>5.2f}  {bar}")
        before = (size, spent)
    (low, first), (high, last) = points[0], points[-1]
    overall = math.log(last / first) / math.log(high / low)
    note = " ".join(f"{size:,}: {spent:.3g} s;" for size, spent in points)
    return {
        "figure": f"{title}: log-log slope, first to last", "value": round(overall, 3),
        "unit": "", "budget": 1.15, "note": note,
    }  # fmt: skip


def bench_growth() -> list[dict[str, object]]:
    def requests_s(count: int) -> float:
        load = draw_load(count, RATE_PER_S)
        return count / rates(load, run_replay, 3)[-1]

    def replicas_s(replicas: int) -> float:
        load = draw_load(100 * replicas, RATE_PER_S * replicas)
        return len(load) / rates(load, lambda some: Fleet(replicas, 0).run(some), 1)[-1]

    return [
        growth("one replica, requests", [2_500, 10_000, 40_000, 160_000], requests_s),
        growth("replicas, 100 requests each", [1, 10, 100, 1_000], replicas_s),
    ]


def bench_start() -> dict[str, object]:
    """Seconds that the import adds to those of an empty interpreter."""

    def spent(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun

    found = sorted(spent("import flyball.sim.engine") - spent("") for _ in range(ROUNDS))
    return {
        "figure": "import flyball.sim.engine", "value": round(statistics.median(found), 3),
        "unit": "s", "spread": (round(found[0], 3), round(found[-1], 3)), "budget": 0.3,
    }  # fmt: skip


if __name__ == "__main__":
    report.write("plant", [*bench_one(), *bench_fleets(), *bench_growth(), bench_start()])
