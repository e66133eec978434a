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

from flyball.diagnosis.drift import pathdrift, streams
from flyball.diagnosis.drift.attribution import Sample, quantised
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

# Places in the sums of a step: of the plant, and of a pool.
_ATTEMPTS, _RETRIES, _OFFERED, _KEPT, _SPEND, _FINISHED, _LATE, _BAD_ENDS = range(8)
_SERVED, _WAITED = 1, 2
_PLANT_SUMS, _POOL_SUMS = 8, 3
_RATES = {
    "attempts_per_s": _ATTEMPTS,
    "retries_per_s": _RETRIES,
    "spend_per_s": _SPEND,
    "finished_per_s": _FINISHED,
    "late_per_s": _LATE,
    "bad_per_s": _BAD_ENDS,
}


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
        self._steps: dict[int, list[float]] = {}
        self._pool_steps: dict[str, dict[int, list[float]]] = {}
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
        begun = self._step(int(intent.at // self.step_s) + 1)
        begun[_ATTEMPTS] += 1.0
        begun[_RETRIES] += intent.is_retry or intent.attempt > 1
        begun[_OFFERED] += intent.tokens_offered
        begun[_KEPT] += intent.tokens_kept
        begun[_SPEND] += intent.tokens_kept + outcome.output_tokens
        self._pool_step(pool, int(intent.at // self.step_s) + 1)[_ATTEMPTS] += 1.0
        row = int(outcome.at // self.step_s) + 1
        ended = self._step(row)
        ended[_FINISHED] += 1.0
        if outcome.outcome == "served":
            mine = self._pool_step(pool, row)
            mine[_SERVED] += 1.0
            mine[_WAITED] += outcome.e2e_s
            ended[_LATE] += not outcome.in_time
        elif outcome.outcome in _BAD:
            ended[_BAD_ENDS] += 1.0

    def _step(self, row: int) -> list[float]:
        found = self._steps.get(row)
        if found is None:
            if len(self._steps) >= grid.STEPS_MAX:
                step = "Give a larger --step, or less time"
                raise TraceError("the input", f"more than {grid.STEPS_MAX:,} steps", step)
            found = self._steps[row] = [0.0] * _PLANT_SUMS
        return found

    def _pool_step(self, pool: str, row: int) -> list[float]:
        rows = self._pool_steps.setdefault(pool, {})
        found = rows.get(row)
        if found is None:
            found = rows[row] = [0.0] * _POOL_SUMS
        return found

    def signals(self, fast: str = "") -> Signals:
        """The table of steps; `fast` = the pool whose share is the router's set-point."""
        if not self._steps:
            return grid.signals({}, 0, self.step_s)
        first = min(self._steps)
        rows, step_s = max(self._steps) - first + 1, self.step_s
        if rows > grid.STEPS_MAX:
            days = rows * step_s / 86_400
            raise TraceError("the input", f"{days:,.0f} days of calls", "Give a larger --step")
        plant = _table(self._steps, first, rows, _PLANT_SUMS)
        made = {f"plant.{name}": plant[at] / step_s for name, at in _RATES.items()}
        made["plant.fresh_per_s"] = (plant[_ATTEMPTS] - plant[_RETRIES]) / step_s
        made["loop.cost.setpoint"] = _over(plant[_KEPT], plant[_OFFERED])
        waited, served = np.zeros(rows), np.zeros(rows)
        for pool, steps in self._pool_steps.items():
            mine = _table(steps, first, rows, _POOL_SUMS)
            waited, served = waited + mine[_WAITED], served + mine[_SERVED]
            made[f"{pool}.served_per_s"] = mine[_SERVED] / step_s
            made[f"{pool}.latency_s"] = _over(mine[_WAITED], mine[_SERVED])
            # Little's law: work in the system = what ended in a step, each with its time in it.
            made[f"{pool}.queue"] = mine[_WAITED] / step_s
            made[f"{pool}.share"] = _over(mine[_ATTEMPTS], plant[_ATTEMPTS])
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


def _table(steps: Mapping[int, list[float]], first: int, rows: int, width: int) -> Array:
    """Sums per step, [width, T]."""
    found = np.zeros((width, rows))
    for row, sums in steps.items():
        if 0 <= row - first < rows:
            found[:, row - first] = sums
    return found


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
