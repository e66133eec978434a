"""Does the twin show DynoSim's planner curves? (Writes docs/results/dynosim.md and dynosim.json.)

`python docs/results/make_dynosim.py` plays the Mooncake conversation hour on an autoscaled pool,
once for each interval of the load loop and for each start-up delay, three samples each.
"""

import json
import statistics
import sys
from itertools import pairwise
from typing import Any

from conversation import HERE, play, rows

from flyball.dialects.traces.row import TraceRow
from flyball.dialects.traces.scale import thinned
from flyball.sim.physics import profile_of
from flyball.sim.report import Report

SEEDS = (1, 2, 3)
KEPT = 0.5
FIRST, MOST = 2, 8
INTERVALS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300)
STARTS_S = (0, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300)
AT_ONCE_S = 0.001
TARGETS = {"ttft_s": 1.5, "itl_s": 0.05, "gpus_max": 16}
# p90 TTFT (s) and scaling events of ai-dynamo/dynamo docs/blogs/digital-twin-simulation: scripts/
# dynamo-dark-figures/gen_fig_5_planner_load_interval.py and gen_fig_6_planner_cold_start.py, read
# off plots by their authors ("visually transcribed", "approximated").
PUBLISHED_INTERVAL = {
    1: (4.0, 1529), 2: (3.8, 991), 5: (4.0, 469), 10: (4.3, 233), 20: (9.0, 117), 30: (15.0, 76),
    60: (46.0, 26), 120: (88.0, 9), 300: (250.0, 3),
}  # fmt: skip
PUBLISHED_START = {
    0: 1.9, 30: 2.0, 60: 2.1, 90: 2.1, 120: 2.5, 150: 3.0, 180: 3.4, 210: 25.0, 240: 80.0,
    270: 120.0, 300: 242.0,
}  # fmt: skip

HEAD = """# DynoSim's planner curves, played again
<!-- Made by docs/results/make_dynosim.py. -->

DynoSim, the replay simulator of ai-dynamo/dynamo, published two sweeps of Dynamo's planner over the
Mooncake *tool-agent* hour (Qwen3-32B on pairs of H200, 2 to 8 replicas, TTFT target 1.5 s): how
often its load loop runs, and how long an engine takes to start. Here the same planner rule (rival
`dynamo_load`, constants as there) runs in the twin on the public *conversation* hour. Trace and
engine model differ, so the question is whether the curves have the same **shape**, not whether the
seconds agree.

    python docs/results/make_dynosim.py        # $FLYBALL_DATA = the folder of data sets

Each figure is the median of three samples (seeds 1, 2, 3) with the least and the greatest in
brackets. A sample keeps half of the trace's requests, drawn at random: the whole hour needs more
than the 8 replicas, whatever the planner does; with half of it a static fleet of 4 is just full
(below). That is the one figure that was chosen with results in view. The profile is computed from
data sheets, not measured. Round robin routes; clients wait for ever. `events` = starts + drains.
"""

TAIL = """
## Reading

Both curves bend as published, less steeply: with the interval later (60 s costs little here), with
the start-up delay earlier and without an edge (from about 90 s on). p90 TTFT cannot fall below 9 s
or so, with any fleet (8 fixed replicas): a tenth of the prompts have more than 27,000 tokens and
take seconds alone. So the ratios are smaller than in a trace of shorter prompts. The loop adds a
replica only when *every* engine is predicted late, one a turn, and none while one starts; that the
backlog of the first minutes, from 2 replicas, makes most of the figures at long delays is inferred,
not shown. The spread over samples at long delays is wide, and three samples are few.
"""


def main() -> None:
    """Play all, judge the shapes, write both files."""
    trace, profile = rows(), profile_of("H200-SXM", "qwen3-32b", 2)

    def sweep(what: str, tuned: dict[str, float], start_s: float) -> dict[str, Any]:
        print(what, file=sys.stderr, flush=True)
        scaler = {
            "rule": "dynamo_load",
            "replicas_max": MOST,
            "start_s": [max(AT_ONCE_S, start_s)] * 2,
            "tuned": TARGETS | tuned,
        }
        return figures([one(scaler, seed) for seed in SEEDS])

    def one(scaler: dict[str, Any] | None, seed: int, replicas: int = FIRST) -> Report:
        scalers: dict[str, Any] = {"autoscalers": {"pool": scaler}} if scaler else {}
        load: list[TraceRow] = list(thinned(trace, KEPT, seed))
        return play(load, profile, replicas=replicas, seed=seed, core="round_robin", **scalers)

    static = {n: figures([one(None, seed, n) for seed in SEEDS]) for n in (2, 4, 8)}
    intervals = {s: sweep(f"interval {s} s", {"period_s": s}, 0.0) for s in INTERVALS_S}
    both = {"period_s": 10.0, "throughput_period_s": 300.0}
    starts = {s: sweep(f"start-up {s} s", both, s) for s in STARTS_S}
    verdicts = judge(intervals, starts)
    found = {
        "command": "python docs/results/make_dynosim.py",
        "trace": "mooncake_conversation", "kept": KEPT, "seeds": SEEDS, "profile": profile.name,
        "static": static, "interval_s": intervals, "start_up_s": starts,
        "shapes": [{"shape": what, "holds": holds} for what, holds in verdicts],
    }  # fmt: skip
    (HERE / "dynosim.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "dynosim.md").write_text(page(static, intervals, starts, verdicts))


def figures(reports: list[Report]) -> dict[str, Any]:
    """Each figure as [median, least, greatest] over the samples."""

    def spread(values: list[float]) -> list[float]:
        return [round(one, 3) for one in (statistics.median(values), min(values), max(values))]

    pools = [report.pools[0] for report in reports]
    return {
        "ttft_p90_s": spread([report.total.ttft_s.p90 for report in reports]),
        "tpot_p90_ms": spread([1e3 * report.total.tpot_s.p90 for report in reports]),
        "events": spread([pool.starts + pool.drains for pool in pools]),
        "gpu_hours": spread([2.0 * pool.replica_hours for pool in pools]),
        "served_ratio": spread([report.total.served_ratio for report in reports]),
    }


def judge(
    intervals: dict[int, dict[str, Any]], starts: dict[int, dict[str, Any]]
) -> list[tuple[str, bool]]:
    """What the published curves show, and whether ours do (medians)."""
    events = [intervals[s]["events"][0] for s in INTERVALS_S]
    late = {s: intervals[s]["ttft_p90_s"][0] for s in INTERVALS_S}
    cold = {s: starts[s]["ttft_p90_s"][0] for s in STARTS_S}
    hours = [starts[s]["gpu_hours"][0] for s in STARTS_S]
    moves = [starts[s]["events"][0] for s in STARTS_S]
    return [
        ("Scaling events fall at every longer interval",
         all(a >= b for a, b in pairwise(events))),
        ("From 1 s to 10 s events fall by 3 or more, p90 TTFT stays within 25 %",
         events[0] >= 3 * events[3] and max(late[s] for s in (1, 2, 5, 10)) < 1.25 * late[1]),
        ("At 60 s p90 TTFT is at least twice that at 10 s", late[60] >= 2 * late[10]),
        ("At 300 s p90 TTFT is at least 5 times that at 10 s", late[300] >= 5 * late[10]),
        ("Start-up delay: p90 TTFT at 60 s within 50 % of that at 0 s", cold[60] < 1.5 * cold[0]),
        ("Start-up delay: at 180 s still within a factor of 2", cold[180] < 2 * cold[0]),
        ("Start-up delay: at 300 s at least 10 times that at 0 s", cold[300] >= 10 * cold[0]),
        ("GPU-hours stay within 20 % over all start-up delays", max(hours) < 1.2 * min(hours)),
        ("Scaling events fall with the start-up delay, by 2 or more", moves[0] >= 2 * moves[-1]),
    ]  # fmt: skip


def page(
    static: dict[int, dict[str, Any]],
    intervals: dict[int, dict[str, Any]],
    starts: dict[int, dict[str, Any]],
    verdicts: list[tuple[str, bool]],
) -> str:
    """The Markdown page."""
    parts = [HEAD, "## Shapes\n", "| What DynoSim's curves show | here |", "|---|---|"]
    parts += [f"| {what} | {'yes' if holds else '**no**'} |" for what, holds in verdicts]
    parts += [
        "\n## A fixed fleet, for scale\n",
        "| replicas | p90 TTFT, s | GPU-hours |", "|---|---|---|",
        *(f"| {n} | {cell(one, 'ttft_p90_s')} | {cell(one, 'gpu_hours')} |"
          for n, one in static.items()),
        "\n## How often the load loop runs (start-up at once, no throughput loop)\n",
        "| interval, s | p90 TTFT, s | events | GPU-hours | DynoSim p90 TTFT, s | events |",
        "|---|---|---|---|---|---|",
        *(f"| {s} | {cell(one, 'ttft_p90_s')} | {cell(one, 'events', 0)} | "
          f"{cell(one, 'gpu_hours')} | {PUBLISHED_INTERVAL[s][0]:g} | {PUBLISHED_INTERVAL[s][1]} |"
          for s, one in intervals.items()),
        "\n## How long an engine takes to start (load loop 10 s, throughput loop 300 s)\n",
        "| start-up, s | p90 TTFT, s | events | GPU-hours | DynoSim p90 TTFT, s |",
        "|---|---|---|---|---|",
        *(f"| {s} | {cell(one, 'ttft_p90_s')} | {cell(one, 'events', 0)} | "
          f"{cell(one, 'gpu_hours')} | {PUBLISHED_START[s]:g} |"
          for s, one in starts.items()),
    ]  # fmt: skip
    return "\n".join(parts) + "\n" + TAIL


def cell(one: dict[str, Any], name: str, digits: int = 1) -> str:
    """`median [least, greatest]`."""
    middle, least, greatest = one[name]
    return f"{middle:.{digits}f} [{least:.{digits}f}, {greatest:.{digits}f}]"


if __name__ == "__main__":
    main()
