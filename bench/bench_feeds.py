"""How long after a person's word do three governors obey it: new requests, and streams under way?

Three `flyball serve` processes on this machine, each following the feeds of the others over HTTP,
one emulated engine behind them. Orders are given in turn at each site, for all sites. Refusal =
from the order's being given to the first answer that says it is stopped, at that site (so at most
a poll too long); streams = from the order to the end of each stream that ran. Stops and revocations
take the same way through doors, feeds and workers.

`python bench/bench_feeds.py --orders 200 --stream-rounds 20 --streams 20`
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.sites import NAMES, Sites, Stream, three_sites, until

BUDGET_ADMISSION_S = 1.0
BUDGET_STREAMS_S = 2.0
POLL_S = 0.005


class Poller:
    """Asks one site again and again; knows since when its answers say that it is stopped."""

    def __init__(self, sites: Sites, name: str) -> None:
        self._sites, self._name = sites, name
        self.stopped_at = 0.0
        self.is_stopped = False
        self.ended = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.ended:
            status, code = self._sites.ask(self._name)
            if status == 200:
                self.is_stopped = False
            elif code == "stopped" and not self.is_stopped:
                self.stopped_at, self.is_stopped = time.monotonic(), True
            time.sleep(POLL_S)


def admission(sites: Sites, orders: int) -> dict[str, list[float]]:
    """Seconds until each order was obeyed, at the site where it was given and at the others."""
    found: dict[str, list[float]] = {"here": [], "elsewhere": []}
    pollers = {name: Poller(sites, name) for name in NAMES}
    for number in range(orders):
        giver = NAMES[number % len(NAMES)]
        given = sites.stop(giver)
        until(lambda: all(one.is_stopped for one in pollers.values()), 10.0, "a stop is obeyed")
        for name, poller in pollers.items():
            place = "here" if name == giver else "elsewhere"
            found[place].append(poller.stopped_at - given)
        sites.stop(giver, is_stopped=False)
        until(lambda: not any(one.is_stopped for one in pollers.values()), 10.0, "it goes on")
    for poller in pollers.values():
        poller.ended = True
        poller.thread.join()
    return found


def cuts(sites: Sites, rounds: int, count: int) -> list[float]:
    """Seconds until the end of each of `count` streams per site, for each order."""
    found: list[float] = []
    for number in range(rounds):
        streams = [Stream(sites.ports[name]) for name in NAMES for _ in range(count)]
        until(lambda streams=streams: all(one.chunks for one in streams), 60.0, "streams begin")
        giver = NAMES[number % len(NAMES)]
        given = sites.stop(giver)
        assert all(one.join(30.0) for one in streams)
        found += [one.ended_at - given for one in streams]
        sites.stop(giver, is_stopped=False)
        until(lambda: all(sites.ask(name)[0] == 200 for name in NAMES), 10.0, "it goes on")
    return found


def row(figure: str, seconds: list[float], budget: float, note: str) -> dict[str, object]:
    """The 99th percentile, with the median and the worst beside it."""
    ordered = sorted(seconds)
    p99 = statistics.quantiles(ordered, n=100, method="inclusive")[98]
    middle = statistics.median(ordered)
    return {
        "figure": f"{figure}, p99", "value": round(p99, 3), "unit": "s",
        "spread": [round(ordered[0], 3), round(ordered[-1], 3)], "budget": budget,
        "note": f"median {middle:.3f} s, {len(ordered)} samples; {note}",
    }  # fmt: skip


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--stream-rounds", type=int, default=10)
    parser.add_argument("--streams", type=int, default=20, help="At each site.")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quick"
        path.mkdir()
        with three_sites(path, time_scale=20.0, workers=given.workers) as sites:
            obeyed = admission(sites, given.orders)
        path = Path(folder) / "slow"
        path.mkdir()
        with three_sites(path, time_scale=1.0, workers=given.workers) as sites:
            ended = cuts(sites, given.stream_rounds, given.streams)
    load = f"3 sites x {given.workers} workers on one machine, polled each {POLL_S * 1e3:.0f} ms"
    streams = f"{given.streams} streams at each site"
    rows = [
        row("stop to first refusal, own site", obeyed["here"], BUDGET_ADMISSION_S, load),
        row("stop to first refusal, other sites", obeyed["elsewhere"], BUDGET_ADMISSION_S, load),
        row("stop to end of streams, all sites", ended, BUDGET_STREAMS_S, streams),
    ]
    report.write("feeds", rows)
    print(json.dumps({str(one["figure"]): one["value"] for one in rows}))


if __name__ == "__main__":
    main()
