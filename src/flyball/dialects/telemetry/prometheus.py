"""Which signals of the fleet do Prometheus' samples show, whoever's metrics they are?

Read are text pages with a time on each line (exposition format, OpenMetrics), the lines of
`promtool tsdb dump`, answers of the HTTP API (`matrix`), and pages without times of which the
caller knows when they were fetched. Only metrics that `names.METRICS` knows are kept.
"""

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from flyball.diagnosis.signals import Signals
from flyball.diagnosis.topology.graph import Member, Reading
from flyball.dialects.telemetry import grid, names
from flyball.dialects.telemetry.grid import Array, Series
from flyball.dialects.telemetry.names import METRICS, Metric
from flyball.dialects.telemetry.otlp import Point, timely
from flyball.dialects.traces.row import TraceError
from flyball.units import Seconds

_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_MILLISECONDS_FROM = 1e11
_HPA_PERIOD_S: Seconds = 15.0
HEADS_MAX = 2_000_000
Key = tuple[Metric, str, str]


class Gathered:
    """Samples on their way into columns. `pools` = name -> labels (whole-match patterns) of its
    series; a series that none of them fits belongs to the pool its labels name."""

    def __init__(
        self, step_s: Seconds, pools: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.grid = grid.Grid(step_s)
        self.samples = self.unknown = 0
        self._pools = {
            name: {label: re.compile(pattern) for label, pattern in labels.items()}
            for name, labels in (pools or {}).items()
        }
        self._by_head: dict[str, tuple[Series, ...]] = {}

    def line(self, line: str, place: str, number: int, at: Seconds | None = None) -> None:
        """One line of text; `at` = when the page was fetched, for lines without a time.

        Raises TraceError for a line that is no sample, or a time or value that cannot be.
        """
        if not line or line[0] in "#\n\r":
            return
        close = line.rfind("} ") + 1 if " # {" not in line else line.rfind("}", 0, line.find(" # "))
        if close > 0 and " # {" in line:
            close += 1
        head = line[:close] if close > 0 else line.split(None, 1)[0]
        words = line[len(head) :].split(" # ", 1)[0].split()
        series = self._by_head.get(head)
        if series is None:
            series = self._series(head, f"{place}:{number}")
        if not series:
            self.unknown += 1
            return
        try:
            value = float(words[0])
            when = float(words[1]) if len(words) > 1 else at
        except (IndexError, ValueError):
            raise TraceError(f"{place}:{number}", "no sample: " + _short(line), _STEP) from None
        if when is None:
            wrong = "a sample without a time"
            raise TraceError(f"{place}:{number}", wrong, _TIME_STEP)
        self._add(series, when, value, f"{place}:{number}")

    def answer(self, page: bytes, place: str) -> int:
        """An answer of /api/v1/query_range; how many samples were in it. Raises TraceError."""
        try:
            told = msgspec.json.decode(page, type=_Answer)
        except msgspec.DecodeError as error:
            raise TraceError(place, f"no answer of Prometheus ({error})", _STEP) from None
        if told.status != "success":
            raise TraceError(place, f"Prometheus says: {told.error}", "Correct the request")
        before = self.samples
        for one in told.data.result:
            head = _head(one.metric)
            series = self._by_head.get(head)
            if series is None:
                series = self._of_labels(one.metric.get("__name__", ""), one.metric, head)
            for when, value in one.values if series else ():
                self._add(series, when, float(value), place)
        return self.samples - before

    def point(self, point: Point, place: str) -> None:
        """A metric's point of OTLP. Raises TraceError as `line` does."""
        name = point.name if point.name in METRICS else _as_prometheus(point.name)
        head = name + _head(point.labels)
        series = self._by_head.get(head)
        if series is None:
            series = self._of_labels(name, point.labels, head)
        if not series:
            self.unknown += 1
            return
        self._add(series, point.at, point.value, place, point.is_delta)

    def _add(
        self,
        series: tuple[Series, ...],
        when: Seconds,
        value: float,
        place: str,
        is_delta: bool = False,
    ) -> None:
        if not isfinite(value):
            return
        if when > _MILLISECONDS_FROM:
            when /= 1000.0
        timely(when, place, "a sample's time")
        self.samples += 1
        try:
            for one in series:
                one.add(when, value, is_delta)
        except ValueError as error:
            step = "Give each series once, in the order of time"
            raise TraceError(place, str(error), step) from None

    def _series(self, head: str, place: str) -> tuple[Series, ...]:
        name, brace, rest = head.partition("{")
        name = name.strip()
        if brace and not head.endswith("}"):
            raise TraceError(place, "labels without an end: " + _short(head), _STEP)
        if name and name not in METRICS:
            return self._keep(head, ())
        labels = dict(_LABEL.findall(rest))
        name = name or labels.get("__name__", "")
        if not name:
            raise TraceError(place, "no name of a metric: " + _short(head), _STEP)
        return self._of_labels(name, labels, head)

    def _of_labels(self, name: str, labels: Mapping[str, str], head: str) -> tuple[Series, ...]:
        wanted = [
            one
            for one in METRICS.get(name, ())
            if one.where is None or labels.get(one.where[0]) == one.where[1]
        ]
        pool = self._pool(labels)
        return self._keep(
            head,
            tuple(
                self.grid.series_of(
                    (one, pool, labels.get("loop", "")), one.kind == "counter", one.scale
                )
                for one in wanted
            ),
        )

    def _keep(self, head: str, series: tuple[Series, ...]) -> tuple[Series, ...]:
        if len(self._by_head) >= HEADS_MAX:
            raise TraceError("the input", f"more than {HEADS_MAX:,} series", "Dump fewer metrics")
        self._by_head[head] = series
        return series

    def _pool(self, labels: Mapping[str, str]) -> str:
        for name, patterns in self._pools.items():
            if all(pattern.fullmatch(labels.get(key, "")) for key, pattern in patterns.items()):
                return name
        found = next((labels[one] for one in names.POOL_LABELS if labels.get(one)), "all")
        return found.removeprefix("keda-hpa-").replace(".", "_")

    def signals(self) -> Signals:
        """All that is shown, as the detectors read it."""
        first, rows = self.grid.span()
        quantities = _quantities(self.grid.columns, first, rows)
        return grid.signals(_derived(quantities, self.grid.step_s), first, self.grid.step_s)

    def members(self) -> tuple[Member, ...]:
        """Autoscalers whose wish and limits are shown, as loops; the last value of each counts."""
        last: dict[str, dict[str, float]] = {}
        for (metric, pool, _), column in self.grid.columns.items():
            if metric.source == "hpa" and column.sums:
                row = max(column.sums)
                last.setdefault(pool, {})[metric.quantity] = column.sums[row]
        return tuple(
            Member(
                name=f"hpa/{pool}",
                actuator="pool.replicas",
                scope=pool,
                reads=(Reading(signal="utilization", sign=1),),
                period_s=_HPA_PERIOD_S,
                limit_low=known.get("replicas_min"),
                limit_high=known.get("replicas_max"),
                value=known.get("replicas_wanted"),
                seen=("kube-state-metrics",),
            )
            for pool, known in last.items()
        )


class _Row(Struct):
    metric: dict[str, str] = {}
    values: list[tuple[float, str]] = []


class _Data(Struct, frozen=True):
    result: list[_Row] = []


class _Answer(Struct):
    status: str
    error: str = ""
    data: _Data = _Data()


_STEP = "Give the text format, lines of `promtool tsdb dump`, or answers of query_range"
_TIME_STEP = (
    "Give lines with times, or a folder of pages each named by its Unix time (1700000000.prom)"
)


def _head(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{key}={labels[key]}" for key in sorted(labels)) + "}"


def _as_prometheus(name: str) -> str:
    """An OpenTelemetry metric's name as its Prometheus exporter writes it, durations in seconds."""
    plain = name.replace(".", "_")
    for end in ("_sum", "_count"):
        if plain.endswith(end):
            return f"{plain.removesuffix(end)}_seconds{end}"
    return plain


def _short(text: str) -> str:
    return repr(text[:80].strip())


def _quantities(
    columns: Mapping[Key, grid.Column], first: int, rows: int
) -> dict[tuple[str, str, str, str], Array]:
    """(layer or gateway's name, quantity, pool, loop) -> [T]; sources of one layer together."""
    found: dict[tuple[str, str, str, str], Array] = {}
    for (metric, pool, loop), column in columns.items():
        mine = column.values(first, rows, metric.quantity in names.MEANS)
        layer = metric.source if metric.layer == "gateway" else metric.layer
        key = (layer, metric.quantity, pool, loop)
        known = found.get(key)
        if known is None:
            found[key] = mine
        elif metric.layer == "platform" or metric.quantity in names.MEANS:
            found[key] = np.where(np.isfinite(known), known, mine)  # one fact from two sources
        else:
            found[key] = _plus(known, mine)
    return found


def _plus(one: Array, other: Array) -> Array:
    both = np.nan_to_num(one) + np.nan_to_num(other)
    return np.where(np.isfinite(one) | np.isfinite(other), both, np.nan)


def _derived(told: Mapping[tuple[str, str, str, str], Array], step_s: Seconds) -> dict[str, Array]:
    gateway = next((one for one in names.GATEWAYS if any(key[0] == one for key in told)), "")
    pools = sorted({key[2] for key in told if key[2] != "none"})
    made: dict[str, Array] = {}

    def of(quantity: str, pool: str, *layers: str) -> Array | None:
        for layer in layers:
            found = told.get((layer, quantity, pool, ""))
            if found is not None:
                return found
        return None

    for pool in pools:
        made |= _of_pool(
            pool, lambda what, p=pool: of(what, p, "engine", gateway, "platform"), step_s
        )
    made |= _of_plant(told, gateway, step_s)
    served = {
        pool: made[f"{pool}.served_per_s"] for pool in pools if f"{pool}.served_per_s" in made
    }
    if len(served) > 1:
        whole = np.sum([np.nan_to_num(one) for one in served.values()], axis=0)
        for pool, one in served.items():
            made[f"{pool}.share"] = np.divide(
                one, whole, out=np.full(len(whole), np.nan), where=whole > 0
            )
    for (_, quantity, _, loop), values in told.items():
        if quantity == "setpoint" and loop:
            made[f"loop.{loop}.setpoint"] = values
    return {name: values for name, values in made.items() if np.isfinite(values).any()}


def _of_pool(pool: str, of: Any, step_s: Seconds) -> dict[str, Array]:
    made: dict[str, Array] = {}
    waiting, running = of("waiting"), of("running")
    if waiting is not None and running is not None:
        made[f"{pool}.queue"] = waiting + running
    for name, over in (("latency_s", "e2e"), ("ttft_s", "ttft")):
        total, count = of(f"{over}_s"), of(f"{over}_n")
        if total is not None and count is not None:
            made[f"{pool}.{name}"] = _per(total, count)
    served = of("served")
    served = of("e2e_n") if served is None else served
    if served is not None:
        made[f"{pool}.served_per_s"] = served / step_s
    hits, asked = of("prefix_hits"), of("prefix_queries")
    if hits is not None and asked is not None:
        made[f"{pool}.cached_share"] = _per(hits, asked)
    for name in ("replicas", "kv_share", "cached_share", "power_w", "gpu_share"):
        values = of(name)
        if values is not None:
            made.setdefault(f"{pool}.{name}", values)
    wanted, most = of("replicas_wanted"), of("replicas_max")
    if wanted is not None:
        made[f"{pool}.replicas_wanted"] = wanted
        if most is not None:
            made[f"{pool}.replicas_saturated"] = np.where(
                np.isfinite(wanted), wanted >= most, np.nan
            )
    clock = of("clock_hz")
    if clock is not None and np.nanmax(clock, initial=0.0) > 0.0:
        made[f"{pool}.clock_share"] = clock / np.nanmax(clock)
    return made


def _of_plant(
    told: Mapping[tuple[str, str, str, str], Array], gateway: str, step_s: Seconds
) -> dict[str, Array]:
    """Sums over all pools, by the gateway's word where there is one."""

    def total(quantity: str, layer: str) -> Array | None:
        parts = [v for key, v in told.items() if key[0] == layer and key[1] == quantity]
        whole = None
        for one in parts:
            whole = one if whole is None else _plus(whole, one)
        return whole

    made: dict[str, Array] = {}
    for name, quantity in (
        ("attempts_per_s", "requests"),
        ("retries_per_s", "retries"),
        ("late_per_s", "late"),
        ("bad_per_s", "failed"),
    ):
        found = total(quantity, gateway)
        if found is not None:
            made[f"plant.{name}"] = found / step_s
    if "plant.attempts_per_s" not in made:
        found = next(
            (one for what in ("served", "e2e_n") if (one := total(what, "engine")) is not None),
            None,
        )
        if found is not None:
            made["plant.attempts_per_s"] = found / step_s
    if "plant.retries_per_s" in made and "plant.attempts_per_s" in made:
        fresh = made["plant.attempts_per_s"] - np.nan_to_num(made["plant.retries_per_s"])
        made["plant.fresh_per_s"] = np.maximum(fresh, 0.0)
    for layer in (gateway, "engine"):
        seconds, count = total("e2e_s", layer), total("e2e_n", layer)
        if seconds is not None and count is not None:
            made.setdefault("plant.latency_s", _per(seconds, count))
        tokens = [
            one
            for what in ("input_tokens", "output_tokens")
            if (one := total(what, layer)) is not None
        ]
        if tokens:
            spent = tokens[0] if len(tokens) == 1 else _plus(*tokens)
            made.setdefault("plant.spend_per_s", spent / step_s)
    return made


def _per(total: Array, count: Array) -> Array:
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def read(lines: Iterable[str], place: str, gathered: Gathered, at: Seconds | None = None) -> None:
    """A page or a dump of lines. Raises TraceError naming the line at fault."""
    for number, line in enumerate(lines, 1):
        gathered.line(line, place, number, at)
