"""How strongly may a loop react, given its delay and the loops that are not ours?

A set-point that goes by u' = u + g (wish - u) with a wish that answers to it by slope -b after d
periods is the difference equation of `pricing.step`: it oscillates from g b = 2 sin(pi/(2(2d+1)))
on. A loop uses at most a third of that (gain margin 3). Foreign loops eat into it:

- one that moves the *same* actuator with gain k every T' seconds adds k T/T' of our period's gain;
- retries that feed load back with marginal gain l make the plant's slope b / (1 - l);
- cooldown and preemption move work onto the rest: the slope grows by their gain.

Where nothing is left, ours stands down: two writers of one actuator are a conflict, not a team.
"""

from collections.abc import Sequence
from math import ceil

from flyball.model.loop import ForeignLoop, Loop
from flyball.pricing.step import GAIN_SHARE_MAX, gain_limit
from flyball.units import Ratio, Seconds

RETRY_GAIN_MAX = 0.95
GAIN_MIN = 0.05


def delay_ticks(delay_s: Seconds, period_s: Seconds) -> int:
    """Whole periods before a move is seen."""
    return ceil(max(0.0, delay_s) / period_s - 1e-9)


def critical_gain(delay_s: Seconds, period_s: Seconds, slope: float) -> float:
    """The gain at which the loop oscillates for ever; infinite for a slope of 0 (feed-forward)."""
    if slope <= 0.0:
        return float("inf")
    return gain_limit(delay_ticks(delay_s, period_s)) / slope


def gain_cap(loop: Loop, scope: str, foreign: Sequence[ForeignLoop]) -> Ratio:
    """The largest gain this loop may use there, at most its own `gain_cap`; 0 = none is left."""
    slope, taken = loop.feedback, 0.0
    for other in foreign:
        if other.scope not in ("", scope):
            continue
        if other.actuator == loop.actuator:
            taken += other.gain * loop.period_s / other.period_s
        elif other.law == "sdk-retry":
            slope /= 1.0 - min(RETRY_GAIN_MAX, max(0.0, other.gain))
        elif other.law in ("cooldown", "preemption"):
            slope *= 1.0 + max(0.0, other.gain)
    if taken:
        slope = max(slope, 1.0)
    allowed = GAIN_SHARE_MAX * critical_gain(loop.delay_s, loop.period_s, slope) - taken
    return min(loop.gain_cap, allowed) if allowed >= GAIN_MIN else 0.0
