"""What does one more cut of context do to total spend, as randomised requests show it?

A known half of the requests keeps a little more, half a little less, by lot: the difference of
their failure rates needs no model of the plant, and no other request can confound it. The interval
holds at every look (a confidence sequence), so one may watch it for ever and stop when it says so:
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", Annals of Statistics 52(6), 2024, eq. for equal variances.
"""

import math

from msgspec import Struct

from flyball.units import Ratio

# Where the sequence is tightest: about an hour of attempts of the test plant, in both arms.
_TIGHT_AT = 100_000


class Arm(Struct, frozen=True, kw_only=True):
    """Attempts of one arm, and how many of them failed."""

    tried: float
    failed: float

    @property
    def ratio(self) -> Ratio:
        """Share that failed, pulled half a count towards one half; 0.5 for no attempts."""
        return (self.failed + 0.5) / (self.tried + 1.0)


class Effect(Struct, frozen=True, kw_only=True):
    """A difference with its error and the interval that is valid at all times together."""

    value: float
    error: float
    low: float
    high: float


def difference(first: Arm, second: Arm, alpha: float = 0.05) -> Effect:
    """Failure ratio of `second` less that of `first`."""
    parts = [(arm.ratio * (1.0 - arm.ratio), max(arm.tried, 1.0)) for arm in (first, second)]
    error = math.sqrt(sum(variance / count for variance, count in parts))
    count = first.tried + second.tried
    value = second.ratio - first.ratio
    half = error * sequence_width(max(count, 1.0), alpha)
    return Effect(value=value, error=error, low=value - half, high=value + half)


def sequence_width(count: float, alpha: float, tight_at: float = _TIGHT_AT) -> float:
    """How many standard errors wide, on each side, an interval must be to hold at every count.

    sqrt((1 + 1/(n r)) * (log(1 + n r) - 2 log(alpha))), r set so that it is tightest at `tight_at`.
    """
    first = -2.0 * math.log(alpha)
    # The width's minimum over n r for this alpha (ibid., section on the choice of the parameter).
    best = first + math.log(first + 1.0)
    mixed = count * best / tight_at
    return math.sqrt((1.0 + 1.0 / mixed) * (math.log1p(mixed) + first))


def cost_gain(
    low: Arm, high: Arm, apart: float, persistence: Ratio, work: float, work_slope: float
) -> Effect:
    """The gain of spend over context kept, of 1 = what a plant without retries would show.

    Spend of a task S = s/(1 - r q), so dS/dk is proportional to s'(1 - r q) + r s q', and the gain
    is 1 + r s q'/(s'(1 - r q)). At 0 a cut saves nothing; below, it costs money. `apart` = how much
    more context `high` keeps than `low`; `work` = s, `work_slope` = s'.
    """
    slope = difference(low, high)
    together = Arm(tried=low.tried + high.tried, failed=low.failed + high.failed)
    factor = persistence * work / (work_slope * (1.0 - persistence * together.ratio)) / apart
    return Effect(
        value=1.0 + factor * slope.value,
        error=abs(factor) * slope.error,
        low=1.0 + factor * slope.low,
        high=1.0 + factor * slope.high,
    )
