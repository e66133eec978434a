"""Which is the largest load that is still served well, and how surely?

Bisection on the load for one seed; several seeds give a mean with Student's interval, and two cores
on the same seeds a paired one, which is far narrower (common random numbers). Bisection supposes
that more load is never served better; a core for which that is false gets the first edge found.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import fmean, stdev

from msgspec import Struct

from flyball.sim.report import Report
from flyball.units import Ratio

# Student's t, two-sided 95 %, by degrees of freedom; beyond the table, that of 30 is still safe.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
DOUBLINGS_MAX = 12


class Interval(Struct, frozen=True, kw_only=True):
    """A mean and its 95 % interval; with one value the interval is unknown (low = high = mean)."""

    mean: float
    low: float
    high: float
    values: tuple[float, ...]


def interval(values: Sequence[float]) -> Interval:
    """Student's 95 % interval of the mean. ValueError if there are no values."""
    if not values:
        raise ValueError("no values")
    mean = fmean(values)
    half = 0.0
    if len(values) > 1:
        half = _T95[min(len(values) - 1, len(_T95)) - 1] * stdev(values) / sqrt(len(values))
    return Interval(mean=mean, low=mean - half, high=mean + half, values=tuple(values))


def serves_well(report: Report, in_time_min: Ratio) -> bool:
    """Every class that came has at least that share of its calls in time."""
    return all(one.in_time_ratio >= in_time_min for one in report.classes)


def largest(passes: Callable[[float], bool], start: float, tolerance: Ratio) -> float:
    """The largest load that passes, to within `tolerance` of itself; 0 if none does.

    Doubles or halves from `start` to a bracket (at most `DOUBLINGS_MAX` times), then bisects.
    """
    low, high = 0.0, 0.0
    load = start
    for _ in range(DOUBLINGS_MAX):
        if passes(load):
            low = load
            if high:
                break
            load *= 2.0
        else:
            high = load
            if low:
                break
            load /= 2.0
    if not low or not high:
        return low
    while high - low > tolerance * low:
        middle = (low + high) / 2.0
        if passes(middle):
            low = middle
        else:
            high = middle
    return low
