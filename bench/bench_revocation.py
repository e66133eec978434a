"""How fast are streams cut when a mandate is revoked, a site is stopped or a policy forbids them?

In process: CPU time of the core, from the event to all commands that end streams. Those of other
mandates run beside them and must go on.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.governor.commands import Abort
from flyball.governor.events import BundlesSet, Event, FirstByte, RequestArrived, Revoked, StopSet
from flyball.governor.governor import Governor
from flyball.governor.policy import Resilience
from support import fleets
from support.authority import D1, D2, Rules, Shelf, mandate

BUDGET_MS = 100.0
ROUNDS = 5
AGENTS = 50


def running(streams: int) -> Governor:
    """A core with as many streams of one person's agents, and half as many of another's."""
    shelf = Shelf(Rules(), Rules((D2,), {"no-us": lambda s, place: place.jurisdiction == "US"}))
    roomy = fleets.policy(resilience=Resilience(in_flight_max=10 * streams))
    core = Governor(fleets.fleet(32, 32), roomy, library=shelf)
    core.handle(BundlesSet(0.5, (D1,)))
    for number in range(streams + streams // 2):
        root = "root" if number < streams else "other"
        held = mandate(root, f"{root}{number % AGENTS}", delegates=(f"agent-{number % AGENTS}",))
        head = fleets.head(mandate=held, body_digest=number, ttft_s_max=1e6, tpot_s_max=1e6)
        core.handle(RequestArrived(1.0, f"r{number}", head, (number % 97) / 97.0))
        core.handle(FirstByte(1.1, f"r{number}"))
    return core


CASES: tuple[tuple[str, Callable[[], Event]], ...] = (
    ("a root is revoked", lambda: Revoked(2.0, "hq", 1, ("root",), "ann", "stolen")),
    ("a class is stopped", lambda: StopSet(2.0, "class:chat", True, "ann", "harm")),
    ("a bundle forbids a jurisdiction", lambda: BundlesSet(2.0, (D2,), "ann")),
    ("a revocation that concerns nobody", lambda: Revoked(2.0, "hq", 1, ("none",), "ann", "-")),
)


def cut(streams: int, event: Event) -> tuple[float, int]:
    """CPU milliseconds of the one event, and how many streams it ended."""
    core = running(streams)
    gc.collect()
    gc.freeze()
    gc.disable()  # as in the gateway, which collects in idle moments
    begun = time.thread_time()
    commands = core.handle(event)
    spent = (time.thread_time() - begun) * 1e3
    gc.enable()
    gc.unfreeze()
    return spent, sum(isinstance(command, Abort) for command in commands)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    streams = parser.parse_args().streams
    rows: list[dict[str, object]] = []
    for name, event in CASES:
        found = [cut(streams, event()) for _ in range(ROUNDS)]
        spent = [one for one, _ in found]
        ended = found[0][1]
        rows.append(
            {
                "figure": f"{name}: {ended} of {streams + streams // 2} streams ended",
                "value": statistics.median(spent),
                "unit": "ms",
                "spread": [min(spent), max(spent)],
                "budget": BUDGET_MS if name == "a root is revoked" else None,
            }
        )
    report.write("revocation", rows)


if __name__ == "__main__":
    main()
