"""What do recordings of a fleet's telemetry hold: spans, metrics, tables, our own records?

Each source is read as a stream into sums (see `dialects/telemetry`), so that its size is bounded by
time and names, not by its bytes. A source of its own is a function from a place to a `Told`.
"""

import csv
import gzip
import io
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from flyball.cli.diagnose_input import Tell, Told
from flyball.cli.diagnose_shape import schema
from flyball.cli.file_shape import CannotUse, check_shape, raise_if_bad, read
from flyball.diagnosis.signals import Happening, Signals, from_columns
from flyball.diagnosis.topology.graph import LoopGraph
from flyball.dialects.telemetry import csvmap, genai, grid, needs, otlp, prometheus
from flyball.dialects.telemetry.calls import Calls
from flyball.dialects.telemetry.names import SpanFamily
from flyball.dialects.traces.row import TraceError
from flyball.model.decision import ConfigSet, Intent, LoopAction, Outcome
from flyball.units import Seconds

OPEN_MAX = 200_000
TABLE_ROWS_MAX = 5_000_000
PAGE_TIME = re.compile(r"(\d{10}(?:\.\d+)?|\d{13})")
MapFile = csvmap.MapFile
# Where a fleet of two pools is told by these names, its loops' set-points follow from them.
SET_POINTS = {
    "loop.router.setpoint": "fast.share",
    "loop.autoscaler.setpoint": "fast.replicas_wanted",
    "loop.autoscaler.saturated": "fast.replicas_saturated",
    "loop.power.setpoint": "fast.clock_share",
}


class Reading(Struct, frozen=True, kw_only=True):
    """How to read: length of a step, and the user's mapping."""

    step_s: Seconds = 10.0
    mapping: MapFile = MapFile(version="v1")


def load_map(path: str) -> MapFile:
    """Raises CannotUse with every fault of form, each with file:line:column."""
    document = read(path)
    if isinstance(document.data, dict):
        check_shape(document, schema("map"), "Correct it: `flyball diagnose --schema map`.")
    else:
        document.fault((), "this is no mapping", "See `flyball diagnose --schema map`.")
    raise_if_bad(document)
    found = msgspec.convert(document.data, MapFile)
    for pool, labels in found.pools.items():
        for label, pattern in labels.items():
            try:
                re.compile(pattern)
            except re.error as error:
                document.fault(("pools", pool, label), f"no pattern: {error}", "Correct it.")
    raise_if_bad(document)
    return found


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Faults of files and of their contents as CannotUse."""
    try:
        yield
    except TraceError as error:
        raise CannotUse(str(error)) from None
    except UnicodeDecodeError:
        raise CannotUse(f"{path}: this is no UTF-8 text") from None
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CannotUse(f"cannot read {path}: {reason}") from None


def _opened(path: Path) -> io.BufferedReader:
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.GzipFile(path))
    return path.open("rb")


def spans(path: Path, how: Reading, tell: Tell) -> Told:
    """OTLP: calls out of spans, signals out of metrics. Of views of the same calls (client,
    gateway, engine) the one with most of them counts."""
    seen = genai.Seen()
    found: dict[SpanFamily, Calls] = {}
    gathered = prometheus.Gathered(how.step_s, how.mapping.pools)
    with _faults(path), _opened(path) as stream:
        for one in otlp.read(stream, str(path)):
            if isinstance(one, otlp.Point):
                gathered.point(one, str(path))
            elif (call := genai.call_of(one, seen)) is not None:
                calls = found.get(call.family)
                if calls is None:
                    calls = found[call.family] = Calls(how.step_s)
                calls.add(_in_pool(call.intent, how.mapping), call.outcome)
        tables = (gathered.signals(),) if gathered.samples else ()
    if not found and not tables:
        raise CannotUse(
            f"{path}: {seen.others:,} spans, none of them a call to a model with token counts. "
            "Export gen_ai.usage.*, llm.token_count.* or vLLM's spans."
        )
    family, most = max(found.items(), key=lambda item: item[1].count, default=("", None))
    if most is not None:
        tell(f"{path}: {seen.calls:,} calls in {seen.calls + seen.others:,} spans; {family}'s view")
    return Told(
        tables=tables,
        calls=() if most is None else (most,),
        lacks=tuple(needs.of_facts(seen.facts, seen.calls)),
    )


def _in_pool(intent: Intent, mapping: MapFile) -> Intent:
    """The call with its pool named as the mapping has it."""
    for name, labels in mapping.pools.items():
        pattern = labels.get("pool")
        if pattern and re.fullmatch(pattern, intent.pool):
            return msgspec.structs.replace(intent, pool=name)
    return intent


def dump(path: Path, how: Reading, tell: Tell) -> Told:
    """Prometheus' samples offline: a text file (also .gz) with times, or a folder of pages named by
    their times."""
    gathered = prometheus.Gathered(how.step_s, how.mapping.pools)
    with _faults(path):
        for page, at in _pages(path):
            with _opened(page) as raw:
                if at is None and _is_answer(raw):
                    gathered.answer(raw.read(otlp.EXPORT_BYTES_MAX), str(page))
                else:
                    text = io.TextIOWrapper(raw, encoding="utf-8")
                    prometheus.read(text, str(page), gathered, at)
        return _told(gathered, str(path), tell)


def _is_answer(raw: Any) -> bool:
    return raw.peek(64).lstrip().startswith((b'{"status"', b'{ "status"', b"{\n"))


def _pages(path: Path) -> Iterator[tuple[Path, Seconds | None]]:
    """Files, and the times in their names; a single file has none."""
    if not path.is_dir():
        yield path, None
        return
    timed = []
    for page in path.iterdir():
        found = PAGE_TIME.search(page.name)
        if found is None:
            step = "Name each page by its Unix time, as in 1700000000.prom"
            raise TraceError(str(page), "no time in this page's name", step)
        at = float(found[1])
        timed.append((at / 1000.0 if len(found[1]) == 13 and "." not in found[1] else at, page))
    for at, page in sorted(timed):
        yield page, at


def _told(gathered: prometheus.Gathered, place: str, tell: Tell) -> Told:
    tell(f"{place}: {gathered.samples:,} samples of known metrics, {gathered.unknown:,} of others")
    if not gathered.samples:
        raise CannotUse(
            f"{place}: no metric in it is known. Known are those of vLLM, SGLang, Triton, the "
            "endpoint picker, kube-state-metrics' autoscalers, KEDA, LiteLLM, DCGM and Flyball."
        )
    return Told(tables=(gathered.signals(),), graph=LoopGraph(members=gathered.members()))


def live(address: str, begin: Seconds, end: Seconds, token: str, how: Reading, tell: Tell) -> Told:
    """Samples of a Prometheus over its HTTP API, in pages."""
    from flyball.serve.telemetry.query import QueryError, pages

    gathered = prometheus.Gathered(how.step_s, how.mapping.pools)
    try:
        for page in pages(address, list(prometheus.METRICS), begin, end, how.step_s, token):
            gathered.answer(page, address)
    except (QueryError, TraceError) as error:
        raise CannotUse(str(error)) from None
    with _faults(Path(address)):
        return _told(gathered, address, tell)


def table(path: Path, how: Reading, tell: Tell) -> Told:
    """A CSV or Parquet file, as its mapping says."""
    shape = how.mapping.table
    if shape is None:
        raise CannotUse(f"{path}: give --map with a section `table` that says what its columns are")
    with _faults(path):
        header, rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
        columns = csvmap.Columns(shape, header, str(path))
        if shape.rows == "answers":
            answers = tuple(csvmap.answers(columns, rows))
            tell(f"{path}: {len(answers):,} answers of canaries")
            return Told(answers=answers)
        if shape.rows == "calls":
            found = Calls(how.step_s)
            for intent, outcome in csvmap.calls(columns, rows):
                found.add(_in_pool(intent, how.mapping), outcome)
            tell(f"{path}: {found.count:,} calls")
            facts = {fact: int(name in columns.names) for fact, name in _FACT_COLUMNS.items()}
            return Told(calls=(found,), lacks=tuple(needs.of_facts(facts, found.count)))
        return Told(tables=(_signal_table(columns, rows, str(path)),))


_FACT_COLUMNS = {
    "pool": "pool",
    "attempt": "attempt",
    "context": "tokens_kept",
    "cached": "cached_tokens",
    "ttft": "ttft_s",
    "propensity": "candidates",
    "models": "served_model",
}


def _signal_table(columns: csvmap.Columns, rows: Iterable[csvmap.Row], place: str) -> Signals:
    columns.need("time_s")
    names = [name for name in columns.names if name != "time_s"]
    times, values = [], []
    for row in rows:
        if len(times) >= TABLE_ROWS_MAX:
            step = "Give it in parts, or at a coarser step"
            raise TraceError(place, f"more than {TABLE_ROWS_MAX:,} rows", step)
        times.append(columns.time(row, "time_s"))
        values.append([columns.number(row, name, float("nan")) for name in names])
    found = np.array(values).reshape(len(times), len(names))
    try:
        return from_columns({"time_s": times, **dict(zip(names, found.T, strict=True))})
    except ValueError as error:
        raise TraceError(
            place, str(error), "Rows must be evenly spaced, in order of time"
        ) from None


def _csv(path: Path) -> tuple[list[str], Iterator[csvmap.Row]]:
    def rows(reader: Any, header: list[str]) -> Iterator[csvmap.Row]:
        try:
            for row in reader:
                if row and len(row) != len(header):
                    wrong = f"{len(row)} cells under {len(header)} columns"
                    step = "Complete the row; a file that was cut short ends like this"
                    raise TraceError(f"{path}:{reader.line_num}", wrong, step)
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise TraceError(f"{path}:{reader.line_num}", str(error), "Write plain CSV") from None

    opened = io.TextIOWrapper(_opened(path), encoding="utf-8-sig", newline="")
    reader = csv.reader(opened)
    header = next(reader, None)
    if header is None:
        raise TraceError(str(path), "the file is empty", "Give a header and rows")
    return header, rows(reader, header)


def _parquet(path: Path) -> tuple[list[str], Iterator[csvmap.Row]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        step = "Install it with `pip install 'flyball[parquet]'`"
        raise TraceError(str(path), "Parquet needs pyarrow", step) from None
    try:
        file = ParquetFile(path)
    except ArrowException as error:
        raise TraceError(str(path), f"no Parquet file ({error})", "Write it again") from None
    header = list(file.schema_arrow.names)

    def rows() -> Iterator[csvmap.Row]:
        number = 1
        for batch in file.iter_batches(batch_size=8192):
            columns = [column.to_pylist() for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                yield number, cells

    return header, rows()


def records(folder: Path, how: Reading, tell: Tell) -> Told:
    """Our own ledger: every attempt with its outcome, and where loops put their set-points."""
    from flyball.ledger.record import RecordError, decode
    from flyball.ledger.tiles import TileError
    from flyball.serve.log.reader import open_log
    from flyball.serve.log.writer import LedgerError

    pairs = _Pairs(Calls(how.step_s), how.mapping)
    try:
        for run in open_log(folder).runs():
            for raw in run.entries():
                pairs.add(decode(raw))
    except (LedgerError, RecordError, TileError) as error:
        raise CannotUse(f"{folder}: {error}") from None
    except OSError as error:
        raise CannotUse(f"cannot read the log in {folder}: {error.strerror or error}") from None
    tell(f"{folder}: {pairs.calls.count:,} attempts, {pairs.lost:,} without their outcome")
    tables = (pairs.set_points(),) if pairs.moves and pairs.calls.count else ()
    return Told(calls=(pairs.calls,) if pairs.calls.count else (), tables=tables)


class _Pairs:
    """Intents on their way to their outcomes; at most `OPEN_MAX` wait."""

    def __init__(self, calls: Calls, mapping: MapFile) -> None:
        self.calls = calls
        self.lost = 0
        self.moves: dict[str, list[tuple[Seconds, float]]] = {}
        self.events: list[Happening] = []
        self._mapping = mapping
        self._open: OrderedDict[tuple[str, int], Intent] = OrderedDict()

    def add(self, record: Any) -> None:
        """One record of the log, in its order."""
        if isinstance(record, Intent):
            self._open[record.id, record.attempt] = record
            if len(self._open) > OPEN_MAX:
                self._open.popitem(last=False)
                self.lost += 1
        elif isinstance(record, Outcome):
            intent = self._open.pop((record.id, record.attempts), None)
            if intent is not None:
                self.calls.add(_in_pool(intent, self._mapping), record)
        elif isinstance(record, LoopAction) and record.mode == "enforce":
            try:
                self.moves.setdefault(record.loop, []).append((record.at, float(record.new)))
            except ValueError:
                return  # a set-point that is no number
        elif isinstance(record, ConfigSet) and record.in_force:
            self.events.append(Happening(at=record.at, kind="config", detail=record.digest[:12]))

    def set_points(self) -> Signals:
        """Where each loop's set-point stood, from its first move on."""
        step_s = self.calls.step_s
        first, last = int(self.calls.begin // step_s), int(self.calls.end // step_s) + 1
        ends = step_s * np.arange(first, last + 1)
        columns = {}
        for loop, moves in self.moves.items():
            moves.sort()
            places = np.searchsorted([at for at, _ in moves], ends, side="right")
            known = np.array([np.nan, *(value for _, value in moves)])
            columns[f"loop.{loop}.setpoint"] = known[places]
        return grid.signals(columns, first, step_s, tuple(self.events))


def run(place: Path, how: Reading, tell: Tell) -> Told:
    """One run for a comparison: a ledger's folder, a mapped table, or an OTLP file."""
    if (place / "checkpoint").is_file():
        return records(place, how, tell)
    if place.is_dir():
        raise CannotUse(f"{place}: no log is in it. Name a ledger's folder, OTLP, or a table.")
    if ".csv" in place.suffixes or place.suffix == ".parquet":
        return table(place, how, tell)
    return spans(place, how, tell)


def whole(told: Told, mapping: MapFile) -> Signals | None:
    """All tables as one, with what calls show, what the mapping adds, and the set-points that
    follow from pools."""
    tables = [*told.tables, *(calls.signals("fast") for calls in told.calls)]
    found = grid.joined(tables)
    if found is None:
        return None
    columns = {name: found.column(name) for name in found.names}
    for name, source in [*mapping.signals.items(), *SET_POINTS.items()]:
        if isinstance(source, str):
            if source in columns:
                columns.setdefault(name, columns[source])
        else:
            columns[name] = np.full(len(found.values), float(source))
    first = round(found.begin_s / found.step_s)
    return grid.signals(columns, first, found.step_s, found.events)
