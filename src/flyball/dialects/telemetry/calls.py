"""What do millions of calls add up to: signals per step, paths per stretch, streams per minute?

One pass in bounded memory, in any order: sums per step and per minute, counts of paths in stretches
that double in length when there are too many, and an even sample (Vitter's algorithm R, ACM TOMS
1985, with a fixed seed) of calls whose chances are known and of rows for attribution.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from flyball.diagnosis import pathdrift, streams
from flyball.diagnosis.attribution import Sample, quantised
from flyball.diagnosis.signals import Signals
from flyball.dialects.telemetry import grid
from flyball.dialects.telemetry.grid import Array
from flyball.dialects.traces.row import TraceError
from flyball.model.decision import Intent, Outcome
from flyball.units import Seconds

MINUTE_S: Seconds = 60.0
STRETCHES_MAX = 2_048
MINUTES_MAX = 90 * 1_440
PATHS_MAX = 20_000
POOLS_MAX = 200
ROUTES_KEPT = 30_000
ROWS_KEPT = 50_000
SLOTS = 24
REST_POOL = "other"
_LAYERS = ("control", "inference", "model")
_T = TypeVar("_T")
_BAD = frozenset({"failed", "truncated-stream", "deadline"})


class Minute:
    """What one minute's calls say to the streams that are watched for drift."""

    __slots__ = ("counts", "sums")

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.sums: dict[str, tuple[float, float]] = {}

    def count(self, name: str, part: str) -> None:
        """One more of a mix's part."""
        self.counts[name, part] += 1

    def add(self, name: str, values: Sequence[float] | Array, weight: float = 1.0) -> None:
        """A number, times its weight."""
        total, weights = self.sums.get(name, (0.0, 0.0))
        self.sums[name] = (total + float(values[0]), weights + weight)


class _Row(Struct, frozen=True, gc=False):
    """A call as attribution sees it: where, how fast, how long, and whether it was good."""

    pool: str
    ttft_s: Seconds
    tokens: int
    good: float


class Calls:
    """All calls of one run, in sums. `begin` and `end` = Unix times of the first and the last;
    `pools` = calls of each, `backends` = endpoint -> pool.
    Raises TraceError in `add` for times that are too far apart."""

    def __init__(self, step_s: Seconds, seed: int = 0) -> None:
        self.step_s = step_s
        self.count = 0
        self.begin = float("inf")
        self.end = float("-inf")
        self._chance = Random(seed)
        self._grid = grid.Grid(step_s)
        self._minutes: dict[int, Minute] = {}
        self._stretch_s: Seconds = MINUTE_S
        self._stretches: dict[int, Counter[pathdrift.Path]] = {}
        self._paths: dict[pathdrift.Path, pathdrift.Path] = {}
        self.pools: Counter[str] = Counter()
        self.backends: dict[str, str] = {}
        self.routes: list[tuple[Intent, Outcome]] = []
        self._routed = 0
        self._rows: list[_Row] = []
        self._rowed = 0

    def add(self, intent: Intent, outcome: Outcome) -> None:
        """One attempt and how it ended."""
        self.count += 1
        at = intent.at
        self.begin, self.end = min(self.begin, at), max(self.end, outcome.at)
        if intent.pool not in self.pools and len(self.pools) >= POOLS_MAX:
            intent = msgspec.structs.replace(intent, pool=REST_POOL)
        pool = intent.pool
        self.pools[pool] += 1
        if len(self.backends) < PATHS_MAX:
            self.backends[intent.endpoint] = pool
        self._add_minute(intent, outcome)
        self._add_path(at, intent, outcome)
        self._add_step(pool, intent, outcome)
        if len(intent.candidates) > 1:
            self._routed += 1
            self._keep(self.routes, (intent, outcome), self._routed, ROUTES_KEPT)
        if outcome.outcome not in ("refused", "cancelled", "client-gone"):
            good = float(outcome.outcome == "served" and outcome.in_time)
            self._rowed += 1
            row = _Row(pool, outcome.ttft_s or outcome.e2e_s, outcome.output_tokens, good)
            self._keep(self._rows, row, self._rowed, ROWS_KEPT)

    def _keep(self, kept: list[_T], one: _T, seen: int, most: int) -> None:
        if len(kept) < most:
            kept.append(one)
        elif (place := int(self._chance.random() * seen)) < most:
            kept[place] = one

    def _add_minute(self, intent: Intent, outcome: Outcome) -> None:
        number = int(intent.at // MINUTE_S)
        minute = self._minutes.get(number)
        if minute is None:
            if len(self._minutes) >= MINUTES_MAX:
                days = MINUTES_MAX // 1_440
                raise TraceError("the input", f"calls of more than {days} days", "Give less time")
            minute = self._minutes[number] = Minute()
        streams.feed_intent(minute, intent)
        streams.feed_outcome(minute, intent, outcome)

    def _add_path(self, at: Seconds, intent: Intent, outcome: Outcome) -> None:
        path = pathdrift.path_of((intent,), outcome)
        known = self._paths.get(path)
        if known is None:
            known = path if len(self._paths) < PATHS_MAX else pathdrift.REST
            self._paths[known] = known
        number = int(at // self._stretch_s)
        counts = self._stretches.get(number)
        if counts is None:
            if len(self._stretches) >= STRETCHES_MAX:
                self._widen()
                number = int(at // self._stretch_s)
            counts = self._stretches.setdefault(number, Counter())
        counts[known] += 1

    def _widen(self) -> None:
        self._stretch_s *= 2
        wider: dict[int, Counter[pathdrift.Path]] = {}
        for number, counts in self._stretches.items():
            wider.setdefault(number // 2, Counter()).update(counts)
        self._stretches = wider

    def _add_step(self, pool: str, intent: Intent, outcome: Outcome) -> None:
        row = int(intent.at // self.step_s) + 1
        ended = int(outcome.at // self.step_s) + 1

        def more(name: str, at: int, value: float) -> None:
            sums = self._grid.column(name).sums
            sums[at] = sums.get(at, 0.0) + value

        more("attempts", row, 1.0)
        more(f"{pool}.attempts", row, 1.0)
        if intent.is_retry or intent.attempt > 1:
            more("retries", row, 1.0)
        more("offered", row, intent.tokens_offered)
        more("kept", row, intent.tokens_kept)
        more("spend", row, intent.tokens_kept + outcome.output_tokens)
        more("finished", ended, 1.0)
        if outcome.outcome == "served":
            more(f"{pool}.e2e", ended, outcome.e2e_s)
            more(f"{pool}.served", ended, 1.0)
            if not outcome.in_time:
                more("late", ended, 1.0)
        elif outcome.outcome in _BAD:
            more("bad", ended, 1.0)

    def signals(self, fast: str = "") -> Signals:
        """The table of steps; `fast` = the pool whose share is the router's set-point."""
        first, rows = self._grid.span()
        if not rows:
            return grid.signals({}, 0, self.step_s)

        def sums(name: str) -> Array:
            if name not in self._grid.columns:
                return np.zeros(rows)
            return np.nan_to_num(self._grid.columns[name].values(first, rows, False))

        attempts, retries, step_s = sums("attempts"), sums("retries"), self.step_s
        made = {
            "plant.attempts_per_s": attempts / step_s,
            "plant.retries_per_s": retries / step_s,
            "plant.fresh_per_s": (attempts - retries) / step_s,
            "plant.spend_per_s": sums("spend") / step_s,
            "plant.finished_per_s": sums("finished") / step_s,
            "plant.late_per_s": sums("late") / step_s,
            "plant.bad_per_s": sums("bad") / step_s,
            "loop.cost.setpoint": _over(sums("kept"), sums("offered")),
        }
        waited, served = np.zeros(rows), np.zeros(rows)
        for pool in self.pools:
            e2e, done = sums(f"{pool}.e2e"), sums(f"{pool}.served")
            waited, served = waited + e2e, served + done
            made[f"{pool}.served_per_s"] = done / step_s
            made[f"{pool}.latency_s"] = _over(e2e, done)
            # Little's law: work in the system = what ended in a step, each with its time in it.
            made[f"{pool}.queue"] = e2e / step_s
            made[f"{pool}.share"] = _over(sums(f"{pool}.attempts"), attempts)
        made["plant.latency_s"] = _over(waited, served)
        if fast in self.pools:
            made["loop.router.setpoint"] = made[f"{fast}.share"]
        return grid.signals(made, first, step_s)

    def run(self) -> list[Counter[pathdrift.Path]]:
        """Paths in equal stretches, about `SLOTS` of them where there is as much time."""
        if not self._stretches:
            return []
        first, last = min(self._stretches), max(self._stretches)
        wide = max(1, -(-(last - first + 1) // SLOTS))
        slots: list[Counter[pathdrift.Path]] = [
            Counter() for _ in range((last - first) // wide + 1)
        ]
        for number, counts in self._stretches.items():
            slots[(number - first) // wide].update(counts)
        return slots

    def minutes(self) -> list[Minute]:
        """Every minute from the first to the last; silent ones are empty."""
        if not self._minutes:
            return []
        first, last = min(self._minutes), max(self._minutes)
        empty = Minute()
        return [self._minutes.get(number, empty) for number in range(first, last + 1)]

    def rows(self) -> tuple[Sequence[str], Array, Array, Array]:
        """Of the calls kept: pool, time to the first token, tokens of the answer, and goodness."""
        return (
            [row.pool for row in self._rows],
            np.array([row.ttft_s for row in self._rows]),
            np.array([float(row.tokens) for row in self._rows]),
            np.array([row.good for row in self._rows]),
        )


def _over(total: Array, count: Array) -> Array:
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def samples(before: Calls, after: Calls) -> tuple[tuple[str, ...], Sample, Sample]:
    """Two runs as layers: where a call went, how fast it was answered, how long the answer was."""
    one, other = before.rows(), after.rows()
    place = {pool: code for code, pool in enumerate(dict.fromkeys([*one[0], *other[0]]))}
    fast, fast_after = quantised(np.log1p(one[1]), np.log1p(other[1]))
    long, long_after = quantised(np.log1p(one[2]), np.log1p(other[2]))

    def sample(pools: Sequence[str], speed: Array, length: Array, good: Array) -> Sample:
        where = np.array([place[pool] for pool in pools], dtype=np.intp)
        return Sample(codes=np.column_stack([where, speed, length]).astype(np.intp), outcome=good)

    return (
        _LAYERS,
        sample(one[0], fast, long, one[3]),
        sample(other[0], fast_after, long_after, other[3]),
    )


def feed(bank: streams.Bank, minute: Minute, parts: Mapping[str, tuple[str, ...]]) -> None:
    """One minute's sums into the detectors; what is no part of a mix counts as its last one."""
    by_stream: dict[str, list[float]] = {}
    for (name, part), count in minute.counts.items():
        known = parts.get(name)
        if known is not None:
            values = by_stream.setdefault(name, [0.0] * len(known))
            values[known.index(part) if part in known else -1] += count
    for name, values in by_stream.items():
        bank.add(name, values, sum(values))
    for name, (total, weight) in minute.sums.items():
        bank.add(name, [total], weight)


def length_of(seconds: Seconds) -> str:
    """A stretch of time for people."""
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"
