"""What do the detectors say of what was read: margins, drift, stress, paths?

Each needs its own facts; what is too little for one is told with what would be enough.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from msgspec import Struct

from flyball.cli.diagnose_input import Tell, Told
from flyball.diagnosis.drift import attribution, drift, pathdrift
from flyball.diagnosis.drift.streams import Bank, Stream, Watch, standard
from flyball.diagnosis.finding import Finding
from flyball.diagnosis.margins import fluid_fit, watch
from flyball.diagnosis.signals import Signals
from flyball.diagnosis.stress import propensity, stress
from flyball.dialects.telemetry import needs
from flyball.dialects.telemetry.calls import Calls, Minute, feed, length_of, samples
from flyball.dialects.telemetry.needs import Lack

MINUTE_S = 60.0
SIDES_MAX = 10
POOLS_MAX = 50
SLOTS_MIN = 10
# Of two weeks, or of what there is: half is accepted, half is judged.
LEARNING_MAX = 20_160
LEARNING_MIN = 600
SEED = 20_260
WATCHED = ("latency_s", "ttft_s", "cached_share", "share")


class Found(Struct, frozen=True, kw_only=True):
    """Findings of all detectors, and what they lacked."""

    findings: tuple[Finding, ...] = ()
    lacks: tuple[Lack, ...] = ()


def of_told(told: Told, signals: Signals | None, tell: Tell) -> Found:
    """Every detector on everything that was read."""
    found: list[Finding] = []
    lacks = list(told.lacks)
    if signals is not None:
        lacks += needs.of_signals(signals.names)
        if not fluid_fit.missing(signals):
            found += _margins(signals, lacks)
        if not told.calls:
            course = _metric_course(signals)
            found += _drift(course, len(course.minutes) // 2, signals.end_s, lacks)
    for calls in told.calls:
        course = _call_course(calls)
        found += _drift(course, len(course.minutes) // 2, calls.end, lacks)
        found += _routes(calls, lacks)
    if told.answers:
        found += _canaries(told, tell)
    return Found(findings=tuple(found), lacks=tuple(dict.fromkeys(lacks)))


def _margins(signals: Signals, lacks: list[Lack]) -> list[Finding]:
    have_s = len(signals.values) * signals.step_s
    if have_s < watch.WINDOW_S + 2 * watch.EVERY_S:
        need = length_of(watch.WINDOW_S + 2 * watch.EVERY_S)
        lacks.append(Lack(f"{need} of signals (there are {length_of(have_s)})", "no margin at all"))
        return []
    rows = np.isfinite(signals.values[:, [signals.names.index(one) for one in fluid_fit.NEEDED]])
    if rows.mean() < 0.5:
        lacks.append(Lack("signals without gaps", f"no margin: {rows.mean():.0%} is there"))
        return []
    return list(watch.over(signals))


Feed = Callable[[Bank], None]


class _Course(Struct, frozen=True):
    """What the drift detectors watch: streams, and each minute's feed."""

    streams: tuple[Stream, ...]
    minutes: Sequence[Feed]


def _call_course(*runs: Calls) -> _Course:
    """The calls' streams over one run after the other."""
    pools = sum((run.pools for run in runs), Counter[str]())
    known = standard([pool for pool, _ in pools.most_common(POOLS_MAX)])
    parts = {one.name: one.parts for one in known if one.is_mix}
    minutes = [partial(_put, minute, parts) for run in runs for minute in run.minutes()]
    return _Course(known, minutes)


def _put(minute: Minute, parts: Mapping[str, tuple[str, ...]], bank: Bank) -> None:
    feed(bank, minute, parts)


def _metric_course(signals: Signals) -> _Course:
    """Pools' latency, cache hits and shares as streams of means."""
    watched = [
        name
        for name in signals.names
        if name.partition(".")[2] in WATCHED and not name.startswith(("plant.", "loop."))
    ]
    streams = tuple(
        Stream(
            name=f"{'control' if name.endswith('share') and 'cached' not in name else 'inference'}"
            f"/{name}",
            layer="control" if name.endswith(".share") else "inference",
            parts=("mean",),
            is_mix=False,
        )
        for name in watched
    )
    every = max(1, round(MINUTE_S / signals.step_s))

    def minute(first: int) -> Feed:
        def put(bank: Bank) -> None:
            for stream, name in zip(streams, watched, strict=True):
                values = signals.column(name)[first : first + every]
                values = values[np.isfinite(values)]
                if values.size:
                    bank.add(stream.name, [float(values.mean())])

        return put

    return _Course(streams, [minute(at) for at in range(0, len(signals.values), every)])


def _drift(course: _Course, learning: int, at: float, lacks: list[Lack]) -> list[Finding]:
    """Findings of the first alarm of each stream."""
    if not course.streams:
        return []
    if learning < LEARNING_MIN:
        have, need = length_of(learning * MINUTE_S), length_of(LEARNING_MIN * MINUTE_S)
        wanted = f"{need} of accepted behaviour before what is judged (there are {have})"
        lacks.append(Lack(wanted, "no drift detectors", "a longer recording, or --baseline"))
        return []
    known = Watch()
    learnt = min(learning, LEARNING_MAX)
    how = Watch(learning=learnt - learnt % known.slot)
    bank = Bank(course.streams, how)
    found: dict[str, Finding] = {}
    for place, put in enumerate(course.minutes):
        put(bank)
        alarm = bank.tick()
        if alarm is not None:
            when = at - MINUTE_S * (len(course.minutes) - 1 - place)
            for one in drift.of_alarm(alarm, course.streams, when, how.run_length):
                found.setdefault(one.scope, one)
    return list(found.values())


def _routes(calls: Calls, lacks: list[Lack]) -> list[Finding]:
    """The largest pool against each other, by the recorded chances."""
    if not calls.routes:
        return []
    pools = [pool for pool, _ in calls.pools.most_common(SIDES_MAX + 1)]
    found: list[Finding] = []
    for other in pools[1:]:
        routes = propensity.routes_of(calls.routes, calls.backends, pools[0], other)
        try:
            seen = propensity.effects(routes)
        except ValueError as error:
            lacks.append(Lack(str(error), f"no effect of {other} against {pools[0]} (FB-305)"))
            continue
        found += stress.of_routes(seen, (pools[0], other), calls.end)
    return found


def _canaries(told: Told, tell: Tell) -> list[Finding]:
    try:
        measured = stress.measure(told.answers, np.random.default_rng(SEED))
    except ValueError as error:
        tell(f"canaries: {error}")
        return []
    return stress.of_stress(measured, max((calls.end for calls in told.calls), default=0.0))


def of_runs(before: Calls, after: Calls, tell: Tell) -> Found:
    """An accepted run against another: paths, what drifts beyond the accepted noise, and which
    layer makes the outcome's change."""
    found: list[Finding] = []
    lacks: list[Lack] = []
    chance = np.random.default_rng(SEED)
    runs = before.run(), after.run()
    if min(len(run) for run in runs) < SLOTS_MIN:
        have = length_of(min(one.end - one.begin for one in (before, after)))
        lacks.append(Lack(f"10 minutes of each run (there are {have})", "no paths (FB-407)"))
    else:
        compared = pathdrift.compare(*runs, chance)
        tell(
            f"paths: {compared.bits:.3f} bits apart; equals differ by up to "
            f"{compared.usual_bits:.3f}"
        )
        found += drift.of_paths(compared, after.end)
    layers, one, other = samples(before, after)
    if min(one.outcome.size, other.outcome.size):
        shares = attribution.attribute(layers, one, other, chance)
        found += drift.of_shares("answers in time", shares, after.end)
    found += _drift(_call_course(before, after), len(before.minutes()), after.end, lacks)
    return Found(findings=tuple(found), lacks=tuple(lacks))
