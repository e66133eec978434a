"""How early, how often falsely and how rightly did a detector tell of incidents with known truth?

A finding counts from `began_s` to `harm_s`; before, and in neutral scenarios, it is a false alarm;
after, it is too late and a miss. A miss has a lead of 0. Loops and kind are those of the first
finding that counts.
"""

from collections.abc import Iterable
from math import exp

import numpy as np
from msgspec import Struct

from flyball.sim.incidents.folder import Told
from flyball.sim.incidents.truth import SAME_KIND, Truth
from flyball.units import Ratio, Seconds

DAY_S: Seconds = 86_400.0
PER_DAYS = 30.0
MISSES_MAX = 200
# A step must be told before it is applied, or within so many of its loops' periods.
STEP_PERIODS = 2.0
_BISECTIONS = 80


class Case(Struct, frozen=True, kw_only=True):
    """A scenario's truth, how long its table is, and what a detector told of it."""

    truth: Truth
    begin_s: Seconds
    end_s: Seconds
    told: tuple[Told, ...]


class Lead(Struct, frozen=True, kw_only=True):
    """Of harmed runs: how many, how many of them found before harm, and the lead in minutes with a
    miss as 0 (None = there were none)."""

    harmed: int
    found: int
    median_min: float | None
    low_min: float | None

    @property
    def share(self) -> Ratio | None:
        """Found, of the harmed."""
        return self.found / self.harmed if self.harmed else None


class Score(Struct, frozen=True, kw_only=True):
    """`forms` = leads of ramps, steps and latent ones, and of "all". `quick` = steps told before
    they were applied or within two loop periods, of `steps`. `loop_right` and `kind_right` are of
    `judged` findings; None = it names none. `bound` = upper 95 % bound of the alarms per 30
    system-days."""

    detector: str
    forms: dict[str, Lead]
    steps: int
    quick: int
    false_alarms: int
    quiet_days: float
    rate: float | None
    bound: float | None
    judged: int
    loop_right: Ratio | None
    kind_right: Ratio | None
    missed: tuple[str, ...]
    alarmed: tuple[str, ...]


def score(detector: str, cases: Iterable[Case]) -> Score:
    """The figures of one detector over cases; those that should harm and did not count nowhere."""
    kept = [one for one in cases if one.truth.form == "neutral" or one.truth.harm_s is not None]
    harmed = [one for one in kept if one.truth.harm_s is not None]
    firsts = [(one.truth, first) for one in harmed if (first := counted(one)) is not None]
    named = [(truth, first) for truth, first in firsts if first.loops]
    quiet_days = sum(_quiet_s(one) for one in kept) / DAY_S
    alarms = [len(false_alarms(one)) for one in kept]
    count = sum(alarms)
    forms = sorted({one.truth.form for one in harmed})
    steps = [one for one in harmed if one.truth.form == "step"]
    return Score(
        detector=detector,
        forms={
            "all": _lead(harmed),
            **{form: _lead([one for one in harmed if one.truth.form == form]) for form in forms},
        },
        steps=len(steps),
        quick=sum(_is_quick(one) for one in steps),
        false_alarms=count,
        quiet_days=quiet_days,
        rate=count / quiet_days * PER_DAYS if quiet_days else None,
        bound=upper_bound(count) / quiet_days * PER_DAYS if quiet_days else None,
        judged=len(firsts),
        loop_right=_share(first.loops[0] in truth.loops for truth, first in named),
        kind_right=_share(
            SAME_KIND.get(first.kind, first.kind) in truth.kinds for truth, first in named
        ),
        missed=tuple(_name(one) for one in harmed if counted(one) is None)[:MISSES_MAX],
        alarmed=tuple(_name(one) for one, times in zip(kept, alarms, strict=True) if times)[
            :MISSES_MAX
        ],
    )


def counted(case: Case) -> Told | None:
    """The first finding between the begin of the danger and harm; None = missed."""
    harm_s = case.truth.harm_s
    if harm_s is None:
        return None
    return next((one for one in case.told if case.truth.began_s <= one.at < harm_s), None)


def false_alarms(case: Case) -> list[Told]:
    """Findings while nothing was wrong."""
    until = float("inf") if case.truth.form == "neutral" else case.truth.began_s
    return [one for one in case.told if one.at < until]


def upper_bound(count: int, confidence: float = 0.95) -> float:
    """The mean of a Poisson count that shows `count` or fewer with a chance of 1 - confidence:
    the one-sided exact bound (Garwood, Biometrika 28, 1936), by bisection."""
    low, high = float(count), 10.0 + 3.0 * count
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        term = total = exp(-middle)
        for number in range(1, count + 1):
            term *= middle / number
            total += term
        low, high = (middle, high) if total > 1.0 - confidence else (low, middle)
    return 0.5 * (low + high)


def _quiet_s(case: Case) -> Seconds:
    whole_s = case.end_s - case.begin_s
    if case.truth.form == "neutral":
        return whole_s
    return min(max(case.truth.began_s - case.begin_s, 0.0), whole_s)


def _lead(cases: list[Case]) -> Lead:
    leads = []
    for case in cases:
        first, harm_s = counted(case), case.truth.harm_s
        leads.append((harm_s - first.at) / 60.0 if first and harm_s is not None else 0.0)
    return Lead(
        harmed=len(cases),
        found=sum(lead > 0.0 for lead in leads),
        median_min=float(np.median(leads)) if leads else None,
        low_min=float(np.quantile(leads, 0.1)) if leads else None,
    )


def _is_quick(case: Case) -> bool:
    first = counted(case)
    until = case.truth.began_s + STEP_PERIODS * case.truth.period_s
    return first is not None and first.at <= until


def _share(rights: Iterable[bool]) -> Ratio | None:
    known = list(rights)
    return sum(known) / len(known) if known else None


def _name(case: Case) -> str:
    return f"{case.truth.name} ({case.truth.seed})"
