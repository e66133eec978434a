"""How far may prompts of one class be cut, and is it still shown that cutting saves money at all?

Cutting saves work on one request, and costs repeats: an answer given without its context is asked
for again. With s = spend on one request and r = probability that its answer is asked for again, an
answer costs S = s / (1 - r) in all. So a cut that saves d and raises r by dr changes S by
(-d / s + dr / (1 - r)) S, which is `gain` = 1 - (s / d) dr / (1 - r) of the saving that the bill of
the single request shows (the sign condition of a cost loop with retries: s' (1 - r) + s r' > 0).

dr is measured, not assumed: of the requests that might be cut, a few are drawn into two arms that
keep a little less and a little more than the set-point. r of an arm is a share of n requests, so
SE(dr) = sqrt(r (1 - r) (1 / n_less + 1 / n_more)). d and s are computed for both arms on the same
requests, so their errors are small beside that and left out. The set-point falls only while the
lower bound of `gain` is at least `GAIN_MIN`; where that bound is not even positive it rises again.

What it cannot see: an answer that is of no use but not asked for again.
"""

from math import exp, inf, sqrt
from typing import NamedTuple

from flyball.model.loop import Loop
from flyball.units import Ratio, Seconds, Usd

CONTEXT = Loop(
    name="context",
    sensor="repeats of answered requests, by arm",
    actuator="class.context_ratio",
    objective="least spend per answer, repeats included",
    period_s=30.0,
    limit_low=0.5,
    limit_high=1.0,
    rate_per_s=0.05 / 30.0,
)
STEP: Ratio = 0.05
# Half the distance of the two arms, as in the project's probe experiment.
AMPLITUDE: Ratio = 0.04
GAIN_MIN = 0.6
# One-sided 95 %.
Z = 1.645
MEMORY_S: Seconds = 3600.0
PROBES_MIN = 50.0
LESS, MORE = 0, 1
NO_ARM = -1
ARM_NAMES = ("context-less", "context-more")


class Effect(NamedTuple):
    """`gain` = share of the saving that is left after repeats, with its lower bound; `breaks` =
    repeats per answer and unit of context cut away."""

    gain: float
    gain_low: float
    breaks: float


UNKNOWN = Effect(1.0, -inf, 0.0)


class ContextLoop:
    """One class's set-point (`ratio` of the prompt that stays) and what its probes have shown."""

    __slots__ = (
        "_moved_at",
        "_net_usd",
        "_probes",
        "_repeats",
        "_saved",
        "_seen",
        "_spent",
        "ratio",
    )

    def __init__(self) -> None:
        self.ratio: Ratio = 1.0
        self._probes = [0.0, 0.0]
        self._repeats = [0.0, 0.0]
        self._spent: Usd = 0.0
        self._saved: Usd = 0.0
        self._seen = 0
        self._net_usd: Usd = 0.0
        self._moved_at: Seconds = -inf

    def arm(self, draw: float, probe_ratio: Ratio) -> int:
        """The arm that `draw`, uniform in [0, 1), falls in; `NO_ARM` for most."""
        if draw >= probe_ratio:
            return NO_ARM
        return LESS if draw < 0.5 * probe_ratio else MORE

    def ratio_of(self, arm: int) -> Ratio:
        """The share of the prompt that stays in that arm; never more than all of it."""
        if arm == NO_ARM:
            return self.ratio
        centre = min(self.ratio, 1.0 - AMPLITUDE)
        return centre - AMPLITUDE if arm == LESS else centre + AMPLITUDE

    def note_eligible(self, net_usd: Usd) -> None:
        """A request might have been cut: its saving less the expected damage, at the set-point."""
        self._seen += 1
        self._net_usd += net_usd

    def note_answered(self, arm: int, spent_usd: Usd, saved_usd: Usd) -> None:
        """A probe was answered. `saved_usd` = what the lesser arm costs less than the other."""
        self._probes[arm] += 1.0
        self._spent += spent_usd
        self._saved += saved_usd

    def note_repeat(self, arm: int) -> None:
        """An answered probe's request was sent again."""
        self._repeats[arm] += 1.0

    def effect(self) -> Effect:
        """What cutting does, as far as it is known."""
        less, more = self._probes
        if min(less, more) < PROBES_MIN or self._saved <= 0.0:
            return UNKNOWN
        # A repeat may follow its probe into another period: a share stays a share.
        shares = [min(1.0, k / n) for k, n in zip(self._repeats, self._probes, strict=True)]
        rise = shares[LESS] - shares[MORE]
        # With one success and one failure added, so that no repeats seen are not taken as none.
        share = (sum(self._repeats) + 1.0) / (less + more + 2.0)
        share = min(share, 0.99)
        error = sqrt(share * (1.0 - share) * (1.0 / less + 1.0 / more))
        per_rise = self._spent / self._saved / (1.0 - share)
        gain = 1.0 - per_rise * rise
        breaks = max(0.0, rise) / (2.0 * AMPLITUDE)
        return Effect(gain, gain - Z * per_rise * error, breaks)

    def wish(self, effect: Effect) -> tuple[Ratio, str]:
        """Where the set-point should stand next, and why; at most `STEP` from where it is."""
        low, high = CONTEXT.limit_low, CONTEXT.limit_high
        shown = f"gain {effect.gain:.2f}, at least {effect.gain_low:.2f}"
        if effect.gain_low < 0.0:
            return min(high, self.ratio + STEP), f"not shown to save: {shown}"
        if not self._seen or self._net_usd <= 0.0:
            return min(high, self.ratio + STEP), "no price asks for it"
        if effect.gain_low < GAIN_MIN:
            return self.ratio, f"frozen: {shown}"
        return max(low, self.ratio - STEP), f"saves: {shown}"

    def is_due(self, at: Seconds) -> bool:
        """Whether a period of the loop has passed since the last look."""
        return not self._moved_at <= at < self._moved_at + CONTEXT.period_s

    def turn(self, at: Seconds) -> None:
        """A new period begins; what the probes have shown fades."""
        elapsed = at - self._moved_at
        fade = exp(-elapsed / MEMORY_S) if 0.0 < elapsed < inf else 1.0
        self._probes = [n * fade for n in self._probes]
        self._repeats = [n * fade for n in self._repeats]
        self._spent *= fade
        self._saved *= fade
        self._seen, self._net_usd = 0, 0.0
        self._moved_at = at
