"""How far are predictions from measurements, per group and figure: median, worst, which way?"""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np

Split = Literal["fit", "judged"]


# Largest median error that counts as met, as a ratio, by layout and figure.
TARGETS: dict[tuple[str, str], float] = {
    ("per-request", "TTFT mean"): 0.06, ("per-request", "TTFT p99"): 0.08,
    ("per-request", "TPOT mean"): 0.03, ("per-request", "E2E mean"): 0.03,
    ("stages", "TTFT mean"): 0.15, ("stages", "E2E mean"): 0.05,
    ("points", "TTFT"): 0.20, ("points", "TPOT"): 0.12, ("points", "E2E"): 0.10,
    ("mlperf", "tokens/s per accelerator"): 0.10,
    ("power", "watts"): 0.08, ("power", "J/token"): 0.10,
}  # fmt: skip


class Figure(NamedTuple):
    """One predicted figure beside its measurement, both above 0 in one unit.

    `split` = whether this very measurement took part in a fit.
    """

    group: str
    split: Split
    figure: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """predicted / measured - 1."""
        return self.predicted / self.measured - 1.0


class Line(NamedTuple):
    """One line of a report: errors as ratios over `rows` measurements.

    `target` = the largest median error that counts as met; 0 = there is none.
    """

    group: str
    split: Split
    figure: str
    rows: int
    median: float
    p90: float
    worst: float
    bias: float
    target: float = 0.0

    @property
    def verdict(self) -> str:
        """Target and whether the median meets it, in words; "" if nothing is to be met."""
        if not self.target or self.split == "fit":
            return ""
        return f"{self.target:.0%} {'met' if self.median <= self.target else 'missed'}"


class Report(NamedTuple):
    """All figures of one data set, with what was fitted, what was left out, and why."""

    layout: str
    split: str
    figures: list[Figure]
    notes: list[str]


Tell = Callable[[str], None]


def lines(figures: Iterable[Figure], layout: str = "") -> list[Line]:
    """One line per group, split and figure, then one per split and figure over all groups.

    `layout` brings its `TARGETS`.
    """
    parts: dict[tuple[str, Split, str], list[float]] = {}
    for one in figures:
        parts.setdefault((one.group, one.split, one.figure), []).append(one.error)
    everything: dict[tuple[str, Split, str], list[float]] = {}
    for (_, split, figure), errors in parts.items():
        everything.setdefault(("all", split, figure), []).extend(errors)
    several = len({group for group, _, _ in parts}) > 1
    shown = parts | everything if several else parts
    return [
        _line(*key, errors, TARGETS.get((layout, key[2]), 0.0)) for key, errors in shown.items()
    ]


def _line(group: str, split: Split, figure: str, errors: list[float], target: float) -> Line:
    sizes = np.abs(errors)
    return Line(
        group,
        split,
        figure,
        len(errors),
        float(np.median(sizes)),
        float(np.quantile(sizes, 0.9)),
        float(sizes.max()),
        float(np.median(errors)),
        target,
    )


def pairs_ranked(pairs: Iterable[tuple[float, float]], tie: float = 0.02) -> tuple[int, int]:
    """Of all pairs of systems, how many are ranked as measured, and how many there are.

    Each entry is (predicted, measured); pairs measured within `tie` of each other do not count.
    """
    known = list(pairs)
    right = count = 0
    for i, (guess, truth) in enumerate(known):
        for other_guess, other_truth in known[:i]:
            if abs(truth / other_truth - 1.0) <= tie:
                continue
            count += 1
            right += (guess > other_guess) == (truth > other_truth)
    return right, count
