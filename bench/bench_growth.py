"""How does the time of a simulated run grow with its requests, its replicas and its classes?

Each line doubles one of them; the exponent is the slope of log time over log size, 1 = linear. With
replicas the load grows too (so many requests per replica and second), so 1 is linear in the work;
with classes the requests stay the same. CPU time of whole runs, the least of three. The picture is
docs/results/growth.svg (with the extra `plot`).
"""

import math
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from msgspec.structs import replace

import builds
from bench_sim import scenario
from flyball.dialects.traces.row import TraceRow
from flyball.sim.build import build
from flyball.sim.run import generated, run
from flyball.sim.scenario import ClassShape, Scenario

ROUNDS = 3
CORES = ("least_request", "governor")
CHAT = {"chat": 1.0}
PICTURE = Path(__file__).parents[1] / "docs" / "results" / "growth.svg"
# Near-linear: doubling the size may cost at most 2.14 times as much.
EXPONENT_MAX = 1.1

Made = tuple[Scenario, list[TraceRow]]


def requests(core: str, count: int) -> Made:
    """`count` requests at 8/s and replica, on four replicas."""
    one = scenario(core, 4, count / 32.0, 32.0, CHAT)
    return one, list(generated(one))


def replicas(core: str, count: int) -> Made:
    """`count` replicas for ten seconds, 8 requests per second and replica."""
    one = scenario(core, count, 10.0, 8.0 * count, CHAT)
    return one, list(generated(one))


def classes(core: str, count: int) -> Made:
    """4,000 requests on eight replicas, of `count` classes in turn."""
    one = scenario(core, 8, 4000 / 64.0, 64.0, CHAT)
    shapes = {f"c{i}": ClassShape(ttft_ms=1000, tpot_ms=60) for i in range(count)}
    rows = [replace(row, class_name=f"c{i % count}") for i, row in enumerate(generated(one))]
    return replace(one, fleet=replace(one.fleet, classes=shapes)), rows


# What grows: how a run of that size is made, its sizes, and the exponent that is allowed.
AXES: dict[str, tuple[Callable[[str, int], Made], tuple[int, ...], float]] = {
    "requests": (requests, (1000, 2000, 4000, 8000, 16000), EXPONENT_MAX),
    "replicas": (replicas, (4, 8, 16, 32, 64, 128), EXPONENT_MAX),
    "classes": (classes, (1, 2, 4, 8, 16, 32, 64), EXPONENT_MAX),
}


def cpu_s(made: Made) -> float:
    """The least CPU time of `ROUNDS` runs."""
    one, rows = made
    fleet, policy = build(one)
    spent: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        run(one, fleet, policy, rows)
        spent.append(time.process_time() - begun)
    return min(spent)


def slope(points: list[tuple[int, float]]) -> float:
    """Of log time over log size, by least squares."""
    logs = [(math.log(size), math.log(spent)) for size, spent in points]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


def picture(lines: dict[str, dict[str, list[tuple[int, float]]]]) -> None:
    """Time over size, both logarithmic, one panel per axis, with a line of slope 1."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "flyball", "svg.fonttype": "none"}):
        figure = Figure(figsize=(11.0, 3.8), layout="constrained")
        for axes, (name, cores) in zip(figure.subplots(1, len(lines)), lines.items(), strict=True):
            for core, points in cores.items():
                sizes, spent = zip(*points, strict=True)
                axes.loglog(sizes, spent, "o-", label=f"{core}: {slope(points):.2f}")
            base = min(points[0][1] for points in cores.values())
            axes.loglog(
                sizes, [base * size / sizes[0] for size in sizes], ":", color="#888888",
                label="slope 1",
            )  # fmt: skip
            axes.set(xlabel=name, ylabel="CPU time, s")
            axes.legend(frameon=False)
        figure.savefig(PICTURE, metadata={"Date": None})
    print(f"wrote {PICTURE}", file=sys.stderr)


def measured(alone: bool) -> list[dict[str, Any]]:
    """Every line, about two minutes a build; the picture is of the build that was asked for."""
    rows: list[dict[str, Any]] = []
    lines: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, (make, sizes, allowed) in AXES.items():
        for core in CORES:
            points = [(size, cpu_s(make(core, size))) for size in sizes]
            lines.setdefault(name, {})[core] = points
            steps = [slope([a, b]) for a, b in pairwise(points)]
            rows.append(
                {
                    "figure": f"growth with {name}: {core}",
                    "value": slope(points),
                    "unit": "exponent",
                    "spread": (min(steps), max(steps)),
                    "budget": allowed,
                    "note": f"{sizes[0]:,} to {sizes[-1]:,}: {points[0][1]:.3g} to "
                    f"{points[-1][1]:.3g} s; spread = single doublings",
                }
            )
    if find_spec("matplotlib") and not alone:
        picture(lines)
    return rows


if __name__ == "__main__":
    builds.write("growth", measured)
