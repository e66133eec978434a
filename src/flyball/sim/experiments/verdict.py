"""Was the load served as promised, and did the fleet recover? (One rule for all contestants.)

Steady: of every class at least 95 % of its calls, after the warm-up, were served within every
promise of the class, as the client sees it, retries and network included; refused and abandoned
calls count as missed. Recovered: the same in the last minute of the five after a trouble's end.
"""

import numpy as np
from msgspec import Struct

from flyball.sim.experiments.mixes import IN_TIME_MIN, MIXES
from flyball.sim.experiments.trial import Trial, duration_s
from flyball.sim.experiments.troubles import LAST_S
from flyball.sim.report import Report
from flyball.sim.run import Result
from flyball.units import Ratio, Seconds

SLICE_S: Seconds = 30.0


class Outcome(Struct, frozen=True, kw_only=True):
    """What is kept of a run: the report, and slice by slice of 30 s from the begin, by class, the
    share in time (-1 = no call of it was sent in that slice) and in `last` that of the last minute.
    """

    report: Report
    slices: dict[str, tuple[Ratio, ...]]
    last: dict[str, Ratio]

    def in_time(self) -> dict[str, Ratio]:
        """By class, over the whole time measured."""
        return {one.name: one.in_time_ratio for one in self.report.classes}


def outcome(trial: Trial, result: Result) -> Outcome:
    """The part of a result that verdicts and tables need."""
    names, columns = MIXES[trial.mix].classes, result.columns
    end_s = duration_s(trial)
    slices: dict[str, tuple[Ratio, ...]] = {}
    last: dict[str, Ratio] = {}
    for index, name in enumerate(names):
        mine = columns["class_index"] == index
        sent, good = columns["sent_at_s"][mine], columns["in_time"][mine]
        edges = np.arange(0.0, end_s, SLICE_S)
        slices[name] = tuple(_share(sent, good, at, at + SLICE_S) for at in edges.tolist())
        last[name] = _share(sent, good, end_s - LAST_S, end_s)
    return Outcome(report=result.report, slices=slices, last=last)


def _share(sent: np.ndarray, good: np.ndarray, begin: Seconds, end: Seconds) -> Ratio:
    inside = (sent >= begin) & (sent < end)
    return float(good[inside].mean()) if inside.any() else -1.0


def is_steady(one: Outcome, in_time_min: Ratio = IN_TIME_MIN) -> bool:
    """Every class that came was served within its promises, and something came."""
    shares = one.in_time()
    return bool(shares) and min(shares.values()) >= in_time_min


def is_recovered(one: Outcome) -> bool:
    """Every class is well served again at the end; a class that sends nothing any more is not."""
    return bool(one.last) and min(one.last.values()) >= IN_TIME_MIN


def passes(trial: Trial, one: Outcome) -> bool:
    """The verdict that fits the trial."""
    return is_recovered(one) if trial.trouble else is_steady(one)


def worst(one: Outcome) -> str:
    """The class that is furthest from its objective, and how its calls were lost.

    `refused` = turned away, `late` = served after its time, `lost` = given up, failed or open.
    """
    klass = min(one.report.classes, key=lambda report: report.in_time_ratio)
    calls = max(1, klass.calls)
    refused = klass.ends["refused"] / calls
    late = klass.served_ratio - klass.in_time_ratio
    lost = 1.0 - klass.served_ratio - refused
    return (
        f"{klass.name}: {klass.in_time_ratio:.1%} in time, {refused:.1%} refused, "
        f"{late:.1%} late, {lost:.1%} lost"
    )
