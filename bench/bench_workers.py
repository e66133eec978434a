"""Do several workers on one port herd to the same engine, or is as much work good as with one?

    python bench/bench_workers.py [--quick]

Four emulated engines of two kinds (an H100 keeps the promise at about 100 requests/s of this sort,
an A100 at about 45), Poisson arrivals at half of that, no two prompts alike.
Goodput = answers within the promise of their class. Imbalance = how unlike the batches of two equal
engines are at the same moment, |a - b| / (a + b), the mean over samples each 100 ms: herding shows
there first. The workers share one core, so this judges their choices, not how they scale. The load
was 200 requests/s at first: there the core was full, one worker kept 83 % and four lost 8 % more.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import bodies
import report
import rig

PROFILES = ("h100/llama-3.1-8b", "h100/llama-3.1-8b", "a100/llama-3.1-8b", "a100/llama-3.1-8b")
WORKERS = (1, 2, 4)
RATE_RPS = 140.0
PROMISE_S = 2.0
CONNECTIONS = 1024
SAMPLE_S = 0.1
WARM_S = 3.0
BUDGET_APART_PERCENT = 3
# Below this share of good answers with one worker the fleet was overloaded: nothing is judged.
GOOD_SHARE_MIN = 0.9
RUNNING = "vllm:num_requests_running"
DONE = "vllm:request_success_total"


@dataclass
class Found:
    """What so many workers showed, a value a round; `shares` = answers by engine, last round."""

    good_per_s: list[float] = field(default_factory=list)
    imbalance: list[float] = field(default_factory=list)
    p99_s: list[float] = field(default_factory=list)
    core: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    other: int = 0


@contextmanager
def engines() -> Iterator[list[str]]:
    """`flyball engine` processes on the load's core, by their URLs."""
    with ExitStack() as stack:
        started = []
        for profile in PROFILES:
            words = [sys.executable, "-m", "flyball", "engine", "--port", "0"]
            words += ["--profile", profile, "--served-model", rig.MODEL]
            process = subprocess.Popen(
                rig.pinned(words, rig.LOAD_CORE),
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.terminate)
            started.append(process)
        urls = [process.stdout.readline().strip() for process in started if process.stdout]
        if not all(url.startswith("http") for url in urls):
            raise rig.RigFault("an emulated engine did not start")
        yield urls


def fleet(urls: Sequence[str]) -> str:
    """A pool per kind of engine, one class with the promise."""
    digest = sha256(rig.KEY.encode()).hexdigest()
    pools = ""
    for profile in dict.fromkeys(PROFILES):
        own = [url for url, name in zip(urls, PROFILES, strict=True) if name == profile]
        pools += (
            f"  {profile.partition('/')[0]}: {{site: here, engine: vllm, profile: {profile}, "
            f"models: [{rig.MODEL}], endpoints: {own}}}\n"
        )
    return (
        "version: v1\n"
        "sites: {here: {jurisdiction: EU}}\n"
        f"pools:\n{pools}"
        f"classes: {{chat: {{value_usd: 0.05, ttft_ms: 500, e2e_ms: {PROMISE_S * 1e3:.0f}, "
        f"deadline_s: 30, output_tokens_mean: {bodies.OUTPUT_TOKENS_MAX}}}}}\n"
        f"principals: {{bench: {{key_sha256: {digest}}}}}\n"
        "ledger: {folder: ledger}\n"
    )


def metric(url: str, name: str) -> float:
    """The sum of an engine's series of that name."""
    with urlopen(f"{url}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


class Sampler(threading.Thread):
    """Reads the batches of equal engines until it is told to end."""

    def __init__(self, urls: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._urls = urls
        self._ended = threading.Event()
        self.unlike: list[float] = []

    def run(self) -> None:
        """One sample each 100 ms."""
        while not self._ended.wait(SAMPLE_S):
            running = [metric(url, RUNNING) for url in self._urls]
            for a, b in (running[:2], running[2:]):
                if a + b >= 4:
                    self.unlike.append(abs(a - b) / (a + b))

    def end(self) -> float:
        """The mean imbalance."""
        self._ended.set()
        self.join()
        return sum(self.unlike) / len(self.unlike) if self.unlike else float("nan")


def measure(workers: int, seconds: float, body: Path, found: Found) -> None:
    """One round with so many workers, over engines started for it."""
    with tempfile.TemporaryDirectory() as name, engines() as urls:
        folder = Path(name)
        file = folder / "fleet.yaml"
        file.write_text(fleet(urls))
        port = rig.free_ports(1)
        words = [sys.executable, "-m", "flyball", "serve", str(file), "--port", str(port)]
        words += ["--workers", str(workers)]
        with rig.contestant(words, port, folder, body) as pid:
            rig.load(port, body, WARM_S, CONNECTIONS, rate=RATE_RPS)
            time.sleep(PROMISE_S)
            before = [metric(url, DONE) for url in urls]
            sampler = Sampler(urls)
            sampler.start()
            run = rig.load(
                port, body, seconds, CONNECTIONS, rate=RATE_RPS, pid=pid, good_s=PROMISE_S
            )
            found.imbalance.append(sampler.end())
            done = [metric(url, DONE) - was for url, was in zip(urls, before, strict=True)]
    found.good_per_s.append(run.good / run.seconds)
    found.p99_s.append(run.p99_us / 1e6)
    found.core.append(run.cpu_s / run.seconds)
    found.shares = [one / max(1.0, sum(done)) for one in done]
    found.other += run.other + run.faults


def run(rounds: int, seconds: float, found: dict[int, Found]) -> None:
    """All rounds, the numbers of workers in turn. Raises RigFault."""
    with tempfile.TemporaryDirectory() as name:
        body = bodies.whole(Path(name))
        for turn in range(1, rounds + 1):
            for workers, own in found.items():
                measure(workers, seconds, body, own)
                rig.say(
                    f"   round {turn}  {workers} workers: {own.good_per_s[-1]:.1f} good req/s, "
                    f"imbalance {own.imbalance[-1]:.3f}"
                )


def rows_of(found: dict[int, Found]) -> list[dict[str, Any]]:
    """Goodput and its loss against one worker, imbalance, and the shares of the engines."""
    rows: list[dict[str, Any]] = []
    one = rig.middle(found[1].good_per_s)
    for workers, own in found.items():
        value = rig.middle(own.good_per_s)
        shares = " ".join(f"{share:.0%}" for share in own.shares)
        names = " ".join(profile.partition("/")[0] for profile in PROFILES)
        rows += [
            {
                "figure": f"goodput, {workers} workers",
                "value": round(value, 1),
                "unit": "good req/s",
                "spread": rig.spread(own.good_per_s),
                "rival": None if workers == 1 else "1 worker",
                "ratio": round(value / one, 3) if one else None,
                "note": f"{RATE_RPS:.0f} req/s offered, {own.other} refused or broken, "
                f"p99 {rig.middle(own.p99_s):.2f} s, gateway used "
                f"{rig.middle(own.core):.0%} of a core",
            },
            {
                "figure": f"imbalance of equal engines, {workers} workers",
                "value": round(rig.middle(own.imbalance), 3),
                "unit": "",
                "spread": rig.spread(own.imbalance, 3),
                "note": f"shares of {names}: {shares}",
            },
        ]
        if workers > 1:
            is_judged = one >= GOOD_SHARE_MIN * RATE_RPS
            rows.append(
                {
                    "figure": f"goodput apart from 1 worker's, {workers} workers",
                    "value": round(abs(value / one - 1) * 100, 1) if one else None,
                    "unit": "%",
                    "rival": "1 worker",
                    "budget": f"<= {BUDGET_APART_PERCENT}" if is_judged else None,
                    "note": ""
                    if is_judged
                    else "not judged: too few answers were good with one worker",
                }
            )
    return rows


def main(words: Sequence[str]) -> int:
    """Measure and report; the exit code: 0, 1 if a run failed, 2 for an unknown option."""
    if set(words) - {"--quick"}:
        rig.say("bench_workers: the only option is --quick")
        return 2
    rounds, seconds = (1, 4.0) if words else (3, 8.0)
    found = {workers: Found() for workers in WORKERS}
    try:
        run(rounds, seconds, found)
    except rig.RigFault as fault:
        rig.say(f"bench_workers: {fault}")
        return 1
    report.write("workers", rows_of(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
