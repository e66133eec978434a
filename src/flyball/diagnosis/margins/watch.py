"""Is this fleet drifting toward instability now: which loop, how sure, and how long is left?

`MarginWatch` reads a row of signals every step and judges every ten minutes: margins in the fitted
twin over a bootstrap, beside two probes that need no model (randomised cost gain, measured peak of
sensitivity). Where the loops contradict the twin, the twin's margins are told no more and the pair
alone counts. Thresholds are fixed here, not learnt from what is watched.
"""

from collections import deque
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.margins import (
    believe,
    fluid,
    fluid_fit,
    interaction,
    margins,
    randomised,
    sensitivity,
    vulnerable,
)
from flyball.diagnosis.margins.whatif import settle
from flyball.diagnosis.signals import Signals
from flyball.units import Ratio, Seconds

Array = np.ndarray[Any, Any]

WINDOW_S: Seconds = 1800.0
PROBE_S: Seconds = 7200.0
EVERY_S: Seconds = 600.0
DITHER_S: Seconds = 30.0
BOOTSTRAP = 16
# A gain that may not double, a load that may not grow by 6 %: the margins an alarm is about.
LIMITS = {margins.LOAD: 1.06} | dict.fromkeys(fluid.GAINS.values(), 2.0)
COST_GAIN_MIN = 0.93
# Standard errors by which the randomised gain must lie below: some thousand looks a month.
COST_GAIN_ERRORS = 3.0
PEAK_MAX = 2.4
# A knob that no limit is for: times 1 it asks what is safe as things stand, in the same batch.
_AS_IT_IS = "spike"
# In how many looks in a row a finding must stand before it is told, and be gone before it may be
# told again.
TOLD_AFTER, GONE_AFTER = 2, 6
# Basins and interactions change slowly, and cost as much as all margins: every third look.
FURTHER_EVERY = 3
_TREND_LOOKS, _DAY_S = 7, 86_400.0
PROBED = ("cost", "router", "autoscaler")
# Of two hours of dither: with less, its figures scatter too much to be told.
_PROBED_SHARE = 0.95

Kind = Literal["gain margin", "load margin", "no rest", "cost gain", "sensitivity", "twin"]
# Code, meaning, next command of each kind.
KINDS: dict[Kind, tuple[str, str, str]] = {
    "gain margin": (
        "FB-501",
        "the loop's gain may not double: gain times delay makes it oscillate",
        "flyball hold",
    ),
    "load margin": (
        "FB-502",
        "a little more load and no healthy rest is left: truncation and retries feed each other",
        "flyball capacity",
    ),
    "cost gain": (
        "FB-503",
        "cutting context saves less and less, for what is cut comes back as retries",
        "flyball hold",
    ),
    "sensitivity": ("FB-504", "the loops amplify what they should damp", "flyball hold"),
    "twin": ("FB-505", "the loops do not answer as the twin says: its margins count no more", ""),
    "no rest": ("FB-508", "no healthy state of rest is left at today's load", "flyball hold"),
}


class Look(Struct, frozen=True, kw_only=True):
    """One judgement. `unsafe` = per knob the bootstrap's share that is not safe at its limit;
    `unsafe_now` = the share that is not safe as things stand; `stood` = per knob where it stood,
    for the load in shares of the budget. `is_believed` = the loops do not contradict the twin.
    `further` = what else the twin said when it was last asked for it."""

    at: Seconds
    unsafe: dict[str, Ratio]
    unsafe_now: Ratio
    stood: dict[str, float]
    is_believed: bool
    beliefs: tuple[believe.Belief, ...]
    cost_gain: randomised.Effect | None
    peak: sensitivity.Peak | None
    further: tuple[Finding, ...] = ()


class MarginWatch:
    """`names` = the columns of the rows fed; `known` = knobs of the twin that were commissioned.

    Memory is bounded: two hours of rows. Raises ValueError naming signals without which no margin
    can be judged.
    """

    def __init__(
        self, names: tuple[str, ...], step_s: Seconds, known: dict[str, float] | None = None
    ) -> None:
        self.names, self.step_s, self.known = names, step_s, known
        lacking = fluid_fit.missing(
            Signals(names=names, step_s=step_s, values=np.zeros((1, len(names))))
        )
        if lacking:
            raise ValueError(f"no margins without these signals: {', '.join(lacking)}")
        self.rows: deque[Array] = deque(maxlen=round(PROBE_S / step_s))
        self.looks: deque[Look] = deque(maxlen=64)
        self.standing: dict[str, int] = {}
        self.gone: dict[str, int] = {}
        self._since = 0
        # As commissioned: the gains of the first twin that the loops do not contradict.
        self._commissioned: Array | None = None
        self._further: tuple[Finding, ...] = ()
        self._looked = 0

    def feed(self, at: Seconds, row: Array) -> tuple[Finding, ...]:
        """One row of signals that ends at `at`; findings that are new with it."""
        self.rows.append(np.asarray(row, dtype=float))
        self._since += 1
        enough = len(self.rows) * self.step_s >= WINDOW_S
        if not enough or self._since * self.step_s < EVERY_S:
            return ()
        self._since = 0
        return self._told(self._look(at))

    def _look(self, at: Seconds) -> Look:
        table = self._table(at)
        recent = table.between(at - WINDOW_S, at)
        fitted = fluid_fit.fit(recent, self.known)
        thetas = fitted.thetas(BOOTSTRAP, seed=int(at))
        starts = np.repeat(fitted.state, 1 + BOOTSTRAP, axis=1)
        rests, found = settle(fluid.TWIN, starts, thetas)
        rests = np.where(found, rests, starts)
        beliefs = _beliefs(table, thetas[:, :1], rests[:, :1]) if found[0] else ()
        unsafe = margins.unsafe_share(
            fluid.TWIN, rests[:, 1:], thetas[:, 1:], LIMITS | {_AS_IT_IS: 1.0}
        )
        look = Look(
            at=at,
            unsafe_now=unsafe.pop(_AS_IT_IS),
            unsafe=unsafe,
            stood=_stood(fitted),
            is_believed=believe.believed(beliefs),
            beliefs=beliefs,
            cost_gain=_cost_gain(table.between(at - PROBE_S / 2, at), fitted),
            peak=_peak(table),
            further=self._judged_further(at, thetas, rests, found, believe.believed(beliefs)),
        )
        self.fitted, self.thetas, self.rests = fitted, thetas, rests
        self.looks.append(look)
        return look

    def _judged_further(
        self, at: Seconds, thetas: Array, rests: Array, found: Array, is_believed: bool
    ) -> tuple[Finding, ...]:
        """What the twin says of interactions, triggers and retries; nothing without a rest."""
        self._looked += 1
        if not (found[0] and is_believed):
            self._further = ()
        elif self._commissioned is None:
            self._commissioned = interaction.gains_of_each(thetas[:, :1], rests[:, :1])[0]
        elif self._looked % FURTHER_EVERY == 0:
            rests, thetas = rests[:, found], thetas[:, found]
            self._further = vulnerable.findings(rests, thetas, self._commissioned, at)
        return self._further

    def _table(self, at: Seconds) -> Signals:
        return Signals(
            names=self.names,
            step_s=self.step_s,
            values=np.array(self.rows),
            begin_s=at - self.step_s * (len(self.rows) - 1),
        )

    def _told(self, look: Look) -> tuple[Finding, ...]:
        """Findings that have stood for long enough and were not told yet."""
        wanted = self._wanted(look)
        further = {one.code: one for one in look.further}
        for key in [*self.standing]:
            if key not in wanted and key not in further:
                self.gone[key] = self.gone.get(key, 0) + 1
                if self.standing[key] < TOLD_AFTER or self.gone[key] >= GONE_AFTER:
                    del self.standing[key]
        fresh = []
        for key in (*wanted, *further):
            self.gone[key] = 0
            self.standing[key] = self.standing.get(key, 0) + 1
            if self.standing[key] == TOLD_AFTER:
                one = further.get(key)
                fresh.append(replace(one, at=look.at) if one else self._finding(look, *wanted[key]))
        return tuple(fresh)

    def _wanted(self, look: Look) -> dict[str, tuple[Kind, str]]:
        """What this look would tell, by key."""
        wanted: dict[str, tuple[Kind, str]] = {}
        is_unsafe = look.unsafe_now > margins.QUANTILE
        if not look.is_believed:
            wanted["twin"] = ("twin", "")
        elif is_unsafe:
            wanted["no rest"] = ("no rest", "")
        for knob, share in look.unsafe.items() if look.is_believed else ():
            # Past its edge nothing is safe, whatever knob is turned: only the first cause is told.
            if share > margins.QUANTILE and (not is_unsafe or knob in self.standing):
                kind: Kind = "load margin" if knob == margins.LOAD else "gain margin"
                wanted[knob] = (kind, knob)
        gain = look.cost_gain
        if gain and gain.value + COST_GAIN_ERRORS * gain.error < COST_GAIN_MIN:
            wanted["cost gain"] = ("cost gain", "")
        if look.peak and look.peak.value > PEAK_MAX:
            wanted["sensitivity"] = ("sensitivity", "")
        return wanted

    def _finding(self, look: Look, kind: Kind, knob: str) -> Finding:
        code, meaning, command = KINDS[kind]
        if kind == "no rest":
            knob = next((one for one in self.standing if one in LIMITS), margins.LOAD)
        loops, evidence, confidence = self._shown(look, kind, knob)
        return Finding(
            code=code,
            kind=kind,
            area="margin",
            at=look.at,
            loops=loops,
            actuators=tuple(f"loop.{loop}.setpoint" for loop in loops if loop in _MOVERS),
            evidence=evidence,
            confidence=confidence,
            next_step=f"{command} {loops[0]}".strip() if command == "flyball hold" else command,
            summary=f"{loops[0]}: {meaning}",
            lead_s=0.0 if kind == "no rest" else self._lead(knob, evidence[0].value),
        )

    def _shown(
        self, look: Look, kind: Kind, knob: str
    ) -> tuple[tuple[str, ...], tuple[Evidence, ...], Ratio]:
        """Loops, numbers and confidence of a finding."""
        if kind == "twin":
            off = [one for one in look.beliefs if not one.holds]
            worst = max(off, key=believe.share_off)
            number = Evidence(
                what="measured over predicted answer to the dither",
                value=worst.ratio,
                low=worst.low,
                high=worst.high,
                limit=1.0 + believe.OFF_MAX,
            )
            shape = Evidence(
                what="error of the answer's shape, share of the predicted",
                value=worst.shape_off,
                limit=believe.OFF_MAX,
            )
            return (worst.loop,), (number, shape), 0.95
        if kind == "cost gain" and look.cost_gain:
            gain = look.cost_gain
            number = Evidence(
                what="gain of spend over context, randomised",
                value=gain.value,
                low=gain.low,
                high=gain.high,
                limit=COST_GAIN_MIN,
            )
            return ("cost", "retry"), (number,), 0.99
        if kind == "sensitivity" and look.peak:
            peak = look.peak
            number = Evidence(
                what="measured peak of sensitivity",
                value=peak.value,
                low=peak.low,
                high=peak.high,
                limit=PEAK_MAX,
            )
            return (PROBED[peak.loop],), (number,), 0.95 if peak.low > PEAK_MAX / 2 else 0.8
        return self._margin_shown(look, knob)

    def _margin_shown(
        self, look: Look, knob: str
    ) -> tuple[tuple[str, ...], tuple[Evidence, ...], Ratio]:
        found = margins.margins(fluid.TWIN, self.rests, self.thetas)
        numbers = [
            Evidence(
                what=f"{'load' if not one.loop else one.loop + ' gain'} margin, 10-90 %",
                value=one.value,
                unit="x",
                low=one.low,
                high=one.high,
                limit=LIMITS[one.knob],
            )
            for one in sorted(found, key=lambda one: one.knob != knob)
        ]
        first = numbers[0]
        mode = margins.mode_at(fluid.TWIN, self.rests[:, :1], self.thetas[:, :1], knob, first.value)
        owner = next((loop for loop, name in fluid.GAINS.items() if name == knob), "")
        parts = [name for name, _ in mode.parts if name in _NAMED] if mode else []
        loops = [owner, *parts] if owner else ["cost", "retry", *parts]
        share = look.unsafe.get(knob, 1.0)
        return tuple(dict.fromkeys(loops))[:2], tuple(numbers), max(share, 0.5)

    def _lead(self, knob: str, margin: float) -> Seconds | None:
        """Seconds until the knob reaches its critical value by its trend over the last hour; None
        = no knob, or no trend toward it within a day."""
        recent = list(self.looks)[-_TREND_LOOKS:]
        if knob not in LIMITS or len(recent) < 3:
            return None
        times = np.array([one.at for one in recent])
        values = np.array([one.stood[knob] for one in recent])
        slope = float(np.polyfit(times - times[-1], values, 1)[0])
        left = float(values[-1]) * (margin - 1.0)
        return left / slope if slope * _DAY_S > left else None


def _stood(fitted: fluid_fit.Fit) -> dict[str, float]:
    values = fitted.values
    gains = {knob: values[knob] for knob in fluid.GAINS.values()}
    return {margins.LOAD: values["load"] / values["budget"], **gains}


_MOVERS = ("cost", "router", "autoscaler", "power")
_NAMED = (*_MOVERS, "retry")


def over(signals: Signals, known: dict[str, float] | None = None) -> tuple[Finding, ...]:
    """All findings of a recorded table, in the order in which a live watch would tell them."""
    watch = MarginWatch(signals.names, signals.step_s, known)
    told: list[Finding] = []
    for at, row in zip(signals.times_s, signals.values, strict=True):
        told += watch.feed(float(at), row)
    return tuple(told)


def _cost_gain(table: Signals, fitted: fluid_fit.Fit) -> randomised.Effect | None:
    columns = [f"arm.{arm}.{what}" for arm in ("low", "high") for what in ("tried", "failed")]
    if not table.has(*columns):
        return None
    tried_low, failed_low, tried_high, failed_high = (
        float(np.nansum(table.column(name))) * table.step_s for name in columns
    )
    if min(tried_low, tried_high) < 1.0:
        return None
    base = fitted.values["work_base"]
    kept = float(np.nanmean(table.column("loop.cost.setpoint")))
    return randomised.cost_gain(
        randomised.Arm(tried=tried_low, failed=failed_low),
        randomised.Arm(tried=tried_high, failed=failed_high),
        apart=2 * fluid_fit.ARM,
        persistence=fitted.values["persistence"],
        work=base + (1 - base) * kept,
        work_slope=1 - base,
    )


def _dithered(table: Signals) -> tuple[Array, Array, Array | None] | None:
    """Set-points just after each sign of the dither has ended, those signs, and the loops' gains
    of that time where they are told, [T, 3] each; None = too short, or no dither."""
    points = [f"loop.{loop}.setpoint" for loop in PROBED]
    signs = [f"probe.{loop}.offset" for loop in PROBED]
    rows = round(DITHER_S / table.step_s)
    if not table.has(*points, *signs) or rows < 1:
        return None
    # Rows end at whole multiples of the dither's bit, whatever the table begins with.
    last = np.flatnonzero(np.abs(table.times_s % DITHER_S) < 0.5 * table.step_s)
    last = last[last + 1 < len(table.values)]
    if len(last) < _PROBED_SHARE * PROBE_S / DITHER_S:
        return None

    def columns(names: list[str], rows: Array) -> Array:
        return np.stack([table.column(name)[rows] for name in names], axis=1)

    gains = [f"loop.{loop}.gain" for loop in PROBED]
    setpoint, offset = columns(points, last + 1), columns(signs, last)
    if not np.isfinite(setpoint).all() or not (offset.std(axis=0) > 0).all():
        return None
    return setpoint, offset, columns(gains, last) if table.has(*gains) else None


def _peak(table: Signals) -> sensitivity.Peak | None:
    found = _dithered(table)
    if found is None:
        return None
    points, signs, _ = found
    # What took effect in a bit is the set-point at its begin, so the answer is the next one's.
    return sensitivity.peak(points[:-1], signs[1:], DITHER_S)


def _beliefs(table: Signals, theta: Array, rest: Array) -> tuple[believe.Belief, ...]:
    found = _dithered(table)
    if found is None:
        return ()
    points, signs, gains = found
    return believe.judged(points, believe.predicted(theta, rest, signs, gains), signs)
