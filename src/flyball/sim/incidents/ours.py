"""What does Flyball tell of a recorded incident, reading only what a live fleet shows?

The first of: margins of the twin with its two probes (where the table has the signals of the large
fleet), the randomised cost gain alone, the basin of the retries, the conflicts of the loops file,
and each change judged before it is applied, by the loops file and by the twin. Thresholds stand
here; those of the watch stand with it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from msgspec import Struct

from flyball.diagnosis.codes.codes import level_of
from flyball.diagnosis.finding import Finding
from flyball.diagnosis.margins import fluid, fluid_fit, margins, metastable, randomised
from flyball.diagnosis.margins.watch import COST_GAIN_ERRORS, COST_GAIN_MIN, MarginWatch
from flyball.diagnosis.signals import Signals
from flyball.diagnosis.topology.graph import LoopGraph
from flyball.diagnosis.topology.preflight import Change, changed, difference
from flyball.diagnosis.topology.topology import topology
from flyball.sim.incidents.folder import Told
from flyball.units import Seconds

Array = np.ndarray[Any, Any]

EVERY_S: Seconds = 600.0
WINDOW_S: Seconds = 3600.0
PARTS = ("margins", "cost gain", "basin", "preflight")
# A fleet is called metastable where twice its load, for less than this, would hold it down.
SPIKE, SPIKE_S = 2.0, 60.0
# The twin speaks only where its fitted use of the pool lies above this: with less, latency hardly
# answers to the queue. Seen on the tuning half of the discrete-event plant.
ANSWERS_MIN = 0.4
_BY_PROBE = ("cost gain", "sensitivity")
# Commissioned knobs that a change of the loops file moves, by loop and key.
_KNOBS = {
    ("cost", "target"): "budget",
    ("cost", "gain"): "cost_gain",
    ("router", "gain"): "router_gain",
    ("autoscaler", "gain"): "autoscaler_gain",
}
_NEEDED = (
    "plant.fresh_per_s",
    "plant.capacity_per_s",
    "plant.latency_s",
    "pool.queue",
    "loop.retry.persistence",
    "loop.retry.budget",
    "loop.retry.patience_s",
)
_ARMS = tuple(f"arm.{arm}.{what}" for arm in ("low", "high") for what in ("tried", "failed"))


class Announced(Struct, frozen=True, kw_only=True):
    """A change of the loops that is about to be applied at `at`."""

    at: Seconds
    change: Change


def told(
    signals: Signals,
    graph: LoopGraph,
    announced: tuple[Announced, ...] = (),
    parts: tuple[str, ...] = PARTS,
) -> tuple[Told, ...]:
    """Findings that a live Flyball would page on, in order of time: of the level "error" alone,
    and none that only says that the twin is not believed."""
    makers: dict[str, Callable[[], Iterator[Told]]] = {
        "margins": lambda: _margins(signals, graph, announced),
        "cost gain": lambda: _cost_gain(signals),
        "basin": lambda: _basin(signals),
        "preflight": lambda: _preflight(signals, graph, announced),
    }
    found = [one for part in parts for one in makers[part]()]
    return tuple(sorted(found, key=lambda one: one.at))


def _margins(
    signals: Signals, graph: LoopGraph, announced: tuple[Announced, ...]
) -> Iterator[Told]:
    if fluid_fit.missing(signals):
        return
    watch = MarginWatch(signals.names, signals.step_s)
    waiting = list(announced)
    kept: dict[str, Finding] = {}
    for at, row in zip(signals.times_s, signals.values, strict=True):
        while waiting and waiting[0].at <= float(at):
            coming = waiting.pop(0)
            yield from _by_twin(watch, coming.at, _factors(graph, coming.change))
            graph = changed(graph, coming.change)
        for one in watch.feed(float(at), row):
            if one.kind in _BY_PROBE:
                yield Told(at=one.at, kind=one.kind, loops=one.loops)
            elif one.kind != "twin":
                kept[_key(one)] = one
        if kept and watch.looks[-1].at == float(at):
            for key in [*kept]:
                if key not in watch.standing:
                    del kept[key]
                elif _is_apt(watch):
                    one = kept.pop(key)
                    yield Told(at=float(at), kind=one.kind, loops=one.loops)


def _key(one: Finding) -> str:
    """Under which the watch keeps it standing."""
    if one.kind == "load margin":
        return margins.LOAD
    return fluid.GAINS[one.loops[0]] if one.kind == "gain margin" else one.kind


def _is_apt(watch: MarginWatch) -> bool:
    """Whether the twin has been checked against the dither, and latency answers to the queue at
    all: where it does not, the fleet has a law that the twin has not."""
    look = watch.looks[-1]
    is_answering = watch.fitted.values["use_target"] >= ANSWERS_MIN
    return bool(look.beliefs) and look.is_believed and is_answering


def _factors(graph: LoopGraph, change: Change) -> dict[tuple[str, str], float]:
    """By loop and key of the loops file, the new value over the old one."""
    members = {one.name: one for one in graph.members}
    found: dict[tuple[str, str], float] = {}
    for name, fields in change.loops.items():
        old, new = members[name].reads[:1], fields.get("reads", ())[:1]
        for key in ("gain", "target"):
            pair = [getattr(one, key) for one in (*old, *new)]
            if len(pair) == 2 and all(pair) and pair[0] != pair[1]:
                found[name, key] = pair[1] / pair[0]
    return found


def _by_twin(
    watch: MarginWatch, at: Seconds, factors: dict[tuple[str, str], float]
) -> Iterator[Told]:
    """The change in the twin as it was fitted last: would the fleet still come to rest?"""
    if not watch.looks or not _is_apt(watch):
        return
    for (loop, key), factor in factors.items():
        knob = _KNOBS.get((loop, key))
        if knob is None:
            continue
        share = margins.unsafe_share(
            fluid.TWIN, watch.rests[:, 1:], watch.thetas[:, 1:], {knob: factor}
        )
        if share[knob] > margins.QUANTILE:
            is_gain = key == "gain"
            yield Told(
                at=at,
                kind="gain margin" if is_gain else "load margin",
                loops=(loop,) if is_gain else (loop, "retry"),
            )


def _cost_gain(signals: Signals) -> Iterator[Told]:
    """The randomised gain of spend over context, where no twin reads it."""
    if not signals.has(*_ARMS, "loop.retry.persistence", "loop.cost.setpoint"):
        return
    standing = 0
    for _, at, recent in _looks(signals):
        counts = [float(np.nansum(recent.column(name))) * recent.step_s for name in _ARMS]
        if min(counts[0], counts[2]) < 1.0:
            continue
        kept = float(np.nanmean(recent.column("loop.cost.setpoint")))
        gain = randomised.cost_gain(
            randomised.Arm(tried=counts[0], failed=counts[1]),
            randomised.Arm(tried=counts[2], failed=counts[3]),
            apart=2 * fluid_fit.ARM,
            persistence=float(recent.column("loop.retry.persistence")[-1]),
            work=0.5 + 0.5 * kept,
            work_slope=0.5,
        )
        is_low = gain.value + COST_GAIN_ERRORS * gain.error < COST_GAIN_MIN
        standing = standing + 1 if is_low else 0
        if standing == 2:
            yield Told(at=at, kind="cost gain", loops=("cost", "retry"))


def _basin(signals: Signals) -> Iterator[Told]:
    """Would a spike leave the fleet in a state that its retries hold up?"""
    if not signals.has(*_NEEDED):
        return
    standing = 0
    for _, at, recent in _looks(signals):
        mean = {name: float(np.nanmedian(recent.column(name))) for name in _NEEDED}
        lasts_s = _trigger_s(mean)
        standing = standing + 1 if lasts_s < SPIKE_S else 0
        if standing == 2:
            yield Told(at=at, kind="metastable", loops=("retry",))


def _trigger_s(mean: dict[str, float]) -> Seconds:
    """Seconds of a spike of `SPIKE` times the load past the separatrix; inf = no bad state."""
    capacity, patience_s = mean["plant.capacity_per_s"], mean["loop.retry.patience_s"]
    again, budget = mean["loop.retry.persistence"], mean["loop.retry.budget"]
    each_s = max(mean["plant.latency_s"] - mean["pool.queue"] / capacity, 0.1)

    def flow_at(load: float) -> Callable[[Array], Array]:
        def flow(queue: Array) -> Array:
            done = capacity * queue / (queue + 0.25 * capacity)
            waits = each_s + queue / capacity
            late = 1.0 / (1.0 + np.exp(np.clip((patience_s - waits) / 1.5, -30.0, 30.0)))
            retries = np.minimum(again * late, budget * (1.0 - late))
            return load + retries * done - done

        return flow

    load = mean["plant.fresh_per_s"]
    return metastable.trigger(
        flow_at, load, SPIKE, 4.0 * patience_s * capacity, step_s=1.0, lasts_max_s=2 * SPIKE_S
    )


def _preflight(
    signals: Signals, graph: LoopGraph, announced: tuple[Announced, ...]
) -> Iterator[Told]:
    """Conflicts of the loops as they stand, then what each change brings, the moment before."""
    begin_s = float(signals.times_s[0])
    before = topology(graph)
    yield from _paged(before, begin_s)
    for coming in announced:
        graph = changed(graph, coming.change)
        after = topology(graph)
        change = difference(before, after)
        yield from _paged([*change.new, *change.worse], coming.at)
        before = after


def _paged(found: list[Finding], at: Seconds) -> Iterator[Told]:
    for one in found:
        if level_of(one) == "error":
            yield Told(at=at, kind=one.kind, loops=one.loops)


def _looks(signals: Signals) -> Iterator[tuple[int, Seconds, Signals]]:
    """Each ten minutes the last hour, from the first whole one on."""
    begin_s, end_s = float(signals.times_s[0]), signals.end_s
    count = int((end_s - begin_s - WINDOW_S) // EVERY_S) + 1
    for number in range(max(count, 0)):
        at = begin_s + WINDOW_S + number * EVERY_S
        yield number, at, signals.between(at - WINDOW_S, at)
