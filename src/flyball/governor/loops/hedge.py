"""Is a second copy of a request worth its price, and when should that be asked?

A copy that averts a miss with probability P earns value * P, and costs what its endpoint charges
for the whole work (until the loser is cancelled, at the winner's first byte). Asked as late as a
copy can still be in time, with half its own expected time to spare, and not before the first byte
is overdue by its own prediction: so most requests are never copied (Dean & Barroso 2013, "The Tail
at Scale": hedge after the expected latency).
"""

from math import exp

from flyball.model.loop import Loop
from flyball.units import Ratio, Seconds, Usd

HEDGE = Loop(
    name="hedge",
    sensor="time without a first byte, predictions of both endpoints",
    actuator="request.copies",
    objective="misses averted are worth their copies",
    period_s=0.0,
    limit_high=2.0,
)
EXPONENT_MAX = 50.0
OVERDUE = 1.25
SPARE = 1.5


def p_miss(expected_s: Seconds, promised_s: Seconds, width_s: Seconds) -> Ratio:
    """Probability of a miss: logistic in the expected time, as a placement prices it."""
    z = (expected_s - promised_s) / min(width_s, 0.25 * promised_s)
    if z > EXPONENT_MAX:
        return 1.0
    return 0.0 if z < -EXPONENT_MAX else 1.0 / (1.0 + exp(-z))


def due_after_s(predicted_s: Seconds, other_s: Seconds, promised_s: Seconds) -> Seconds:
    """Seconds after sending at which to ask; < 0 = never, as no copy could be in time.

    Never before the prediction has passed by a quarter.
    """
    if other_s >= promised_s:
        return -1.0
    overdue = OVERDUE * predicted_s
    return min(promised_s - other_s, max(overdue, promised_s - SPARE * other_s))


def is_worth(value_usd: Usd, miss: Ratio, miss_of_copy: Ratio, price_usd: Usd) -> bool:
    """Whether value * P(miss averted) exceeds the price of the copy (USD)."""
    return value_usd * miss * (1.0 - miss_of_copy) > price_usd
