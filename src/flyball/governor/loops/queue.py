"""Whose turn is it, of those held: the one whose lateness costs most per second of work?

The Gc-mu rule (Mandelbaum & Stolyar 2004): serve the one with the largest C'(waited) * mu, which is
asymptotically optimal in heavy traffic for convex costs C of delay. Here C = value * (waited /
allowed)^2, so C' = 2 value * waited / allowed^2, and mu = 1 / work. `AT_ONCE` stands for a wait
that has just begun, so that the new are ordered too: by value over work and time allowed.
"""

from math import inf

from flyball.model.loop import Loop
from flyball.units import Ratio, Seconds, Usd

QUEUE = Loop(
    name="queue",
    sensor="time waited, value, work, of those held",
    actuator="held.order",
    objective="least cost of delay",
    period_s=0.0,
    limit_high=inf,
)
AT_ONCE: Ratio = 0.05
ALLOWED_S_MIN: Seconds = 1e-3


def urgency(value_usd: Usd, work: float, waited_s: Seconds, allowed_s: Seconds) -> float:
    """Cost of delay per unit of time and work; the largest goes first. `work` > 0 in any unit."""
    allowed_s = max(ALLOWED_S_MIN, allowed_s)
    return value_usd / work * (AT_ONCE + waited_s / allowed_s) / allowed_s
