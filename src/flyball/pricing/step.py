"""How far may a price move on what was seen since the last solve, without starting to oscillate?

Between solves a price follows its residual r = used - available, delayed by d price ticks, against
a demand of slope beta = -dr/dprice: price' = max(0, price + gamma r). With z the shift by one tick
the loop's characteristic equation is z^(d+1) - z^d + gamma beta = 0. Its roots lie inside the unit
circle exactly for gamma beta < 2 sin(pi / (2 (2 d + 1))) (the root on the circle is z = e^(i w),
w = pi/(2d+1); Levin & May 1976, "A note on difference-delay equations"), and the fastest step
without overshoot is the double root z = d/(d+1): gamma beta = d^d / (d+1)^(d+1). By that pole alone
an error shrinks to 1 % in ln 0.01 / ln(d/(d+1)) ticks; as it is double, in up to half as many more.
"""

import math

GAIN_SHARE_MAX = 1.0 / 3.0
"""A price loop uses at most this share of its critical gain: a gain margin of 3 (9.5 dB)."""


def gain_limit(delay_ticks: int) -> float:
    """Critical gain gamma beta (dimensionless) at that delay; ValueError if it is negative."""
    _check(delay_ticks)
    return 2.0 * math.sin(math.pi / (2.0 * (2 * delay_ticks + 1)))


def gain_best(delay_ticks: int) -> float:
    """Critically damped gain gamma beta (dimensionless); ValueError if the delay is negative."""
    _check(delay_ticks)
    return float(delay_ticks**delay_ticks / (delay_ticks + 1) ** (delay_ticks + 1))


def correct(price: float, residual: float, slope: float, delay_ticks: int) -> float:
    """The next price (USD per unit), at least 0.

    `residual` = used - available in units per second, `slope` = units per second by which use falls
    per USD of price. The gain is the critically damped one, at most `GAIN_SHARE_MAX` of the limit.
    A slope that is not positive and finite says nothing about the step: the price then stays.
    Raises ValueError for a negative delay, or a price or residual that is not finite.
    """
    if not (math.isfinite(price) and math.isfinite(residual)):
        raise ValueError(f"price and residual must be finite, got {price!r} and {residual!r}")
    gain = min(gain_best(delay_ticks), GAIN_SHARE_MAX * gain_limit(delay_ticks))
    if not (math.isfinite(slope) and slope > 0.0):
        return max(0.0, price)
    move = gain * residual / slope
    return max(0.0, price + move) if math.isfinite(move) else max(0.0, price)


def _check(delay_ticks: int) -> None:
    if delay_ticks < 0:
        raise ValueError(f"a delay cannot be negative, got {delay_ticks}")
