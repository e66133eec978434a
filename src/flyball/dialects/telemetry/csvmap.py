"""What do the columns of somebody's table mean: signals, calls, or answers of canaries?

A mapping (YAML) says which column is what and in which unit; it also says which series of metrics
make a pool, what stays constant, and which signal stands for which. Tables have a header; a column
that the mapping names and the table has not is an error, one that it does not name is passed over.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal, cast

from msgspec import Meta, Struct

from flyball.diagnosis.stress.stress import Answer
from flyball.dialects.telemetry.otlp import timely
from flyball.dialects.traces.row import TraceError
from flyball.model.decision import Candidate, Intent, Outcome, OutcomeKind
from flyball.units import Seconds

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Unit = Literal["s", "ms", "us", "ns", "iso"]
_UNITS: dict[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
Row = tuple[int, Sequence[Any]]
_TRUE = {"true": 1.0, "yes": 1.0, "ok": 1.0, "success": 1.0, "served": 1.0}
_FALSE = {"false": 0.0, "no": 0.0, "error": 0.0, "failure": 0.0, "failed": 0.0, "": 0.0}
CALL_COLUMNS = (
    "at",
    "e2e_s",
    "ttft_s",
    "pool",
    "endpoint",
    "model",
    "served_model",
    "session",
    "attempt",
    "tokens_offered",
    "tokens_kept",
    "cached_tokens",
    "output_tokens",
    "outcome",
    "in_time",
    "candidates",
    "cost_usd",
)
ANSWER_COLUMNS = ("prompt", "backend", "load", "seed", "previous", "outcome")


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every section refuses keys that it does not know."""


class ColumnShape(_Section, frozen=True, kw_only=True):
    """Where a value stands in the table."""

    column: Annotated[Name, Meta(description="Its name in the header.")]
    scale: Annotated[float, Meta(description="Multiplied by this (0.001 for milliseconds).")] = 1.0
    unit: Annotated[Unit, Meta(description="Of a time: s, ms, us, ns since 1970, or iso.")] = "s"


class TableShape(_Section, frozen=True, kw_only=True):
    """A CSV or Parquet file: what its rows are, and which column says what."""

    rows: Annotated[
        Literal["signals", "calls", "answers"],
        Meta(description="signals: a row per step; calls: a row per call; answers: of canaries."),
    ]
    columns: Annotated[
        dict[Name, ColumnShape | Name],
        Meta(description="Ours -> theirs. Signals: time_s and names of signals."),
    ]


class MapFile(_Section, frozen=True, kw_only=True):
    """How telemetry that is not ours is to be read."""

    version: Annotated[Literal["v1"], Meta(description="Version of this format.")]
    pools: Annotated[
        dict[Name, dict[Name, str]],
        Meta(description="Pool -> labels of its series; whole-match patterns."),
    ] = {}
    signals: Annotated[
        dict[Name, Name | float],
        Meta(description="Signal -> another one it equals, or a number that it always has."),
    ] = {}
    table: Annotated[TableShape | None, Meta(description="Of --csv.")] = None


class Columns:
    """Where in a row each of our names stands. Raises TraceError for a name that is not ours, or a
    column that is not there."""

    def __init__(self, shape: TableShape, header: Sequence[str], place: str) -> None:
        self.place = place
        self._at: dict[str, tuple[int, ColumnShape]] = {}
        known = {"calls": CALL_COLUMNS, "answers": ANSWER_COLUMNS}.get(shape.rows)
        for ours, told in shape.columns.items():
            if known is not None and ours not in known:
                step = f"{_close(ours, known)}There are {', '.join(known)}"
                raise TraceError("the mapping", f"no fact of {shape.rows} is named {ours!r}", step)
            one = ColumnShape(column=told) if isinstance(told, str) else told
            if one.column not in header:
                step = f"{_close(one.column, header)}The table has {', '.join(header[:40])}"
                raise TraceError(f"{place}:1", f"there is no column {one.column!r}", step)
            self._at[ours] = (header.index(one.column), one)
        self.names = tuple(self._at)

    def need(self, *names: str) -> None:
        """Raises TraceError if the mapping does not name all of these."""
        for name in names:
            if name not in self._at:
                raise TraceError("the mapping", f"no column is mapped to {name}", "Name its column")

    def text(self, row: Row, name: str, default: str = "") -> str:
        """A cell as text."""
        found = self._at.get(name)
        value = row[1][found[0]] if found else None
        return default if value is None else str(value)

    def number(self, row: Row, name: str, default: float = 0.0) -> float:
        """A cell as a number; empty = the default. Raises TraceError for what is none."""
        found = self._at.get(name)
        if found is None:
            return default
        value, one = row[1][found[0]], found[1]
        if value is None or value == "":
            return default
        try:
            return float(value) * one.scale * _UNITS.get(one.unit, 1.0)
        except (TypeError, ValueError):
            pass
        word = str(value).strip().lower()
        if word in _TRUE or word in _FALSE:
            return _TRUE.get(word, 0.0)
        raise self._wrong(row, name, value, "a number")

    def time(self, row: Row, name: str) -> Seconds:
        """A cell as a Unix time. Raises TraceError for what is none of this century."""
        index, one = self._at[name]
        value = row[1][index]
        if isinstance(value, datetime) or one.unit == "iso":
            try:
                moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            except (TypeError, ValueError):
                raise self._wrong(row, name, value, "a time in ISO 8601") from None
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.timestamp()
        seconds = self.number(row, name, float("nan"))
        return timely(seconds, f"{self.place}:{row[0]}", f"{one.column} ({one.unit})")

    def _wrong(self, row: Row, name: str, value: Any, what: str) -> TraceError:
        column = self._at[name][1].column
        place = f"{self.place}:{row[0]}"
        return TraceError(place, f"{column} is {str(value)[:40]!r}, not {what}", "Correct the cell")


def calls(columns: Columns, rows: Iterable[Row]) -> Iterator[tuple[Intent, Outcome]]:
    """A row per call. Raises TraceError naming the row."""
    columns.need("at", "pool")
    for row in rows:
        at, pool = columns.time(row, "at"), columns.text(row, "pool") or "all"
        attempt = int(columns.number(row, "attempt", 1.0))
        offered = int(columns.number(row, "tokens_offered"))
        intent = Intent(
            id=str(row[0]),
            at=at,
            principal="",
            class_name="",
            session=columns.text(row, "session"),
            session_source="",
            model=columns.text(row, "model"),
            operation="",
            attempt=attempt,
            lineage="",
            is_retry=attempt > 1,
            tokens_offered=offered,
            tokens_kept=int(columns.number(row, "tokens_kept", offered)),
            output_tokens_max=0,
            deadline_at=0.0,
            value_usd=0.0,
            rule="price",
            probe_arm="",
            endpoint=columns.text(row, "endpoint") or pool,
            pool=pool,
            candidates=_candidates(columns, row),
            candidates_count=0,
            feasibility="",
            board_version=0,
            board_age_s=0.0,
            view_age_s=0.0,
            held_s=0.0,
            mode="",
            served_model=columns.text(row, "served_model"),
        )
        yield intent, _outcome(columns, row, intent)


def _outcome(columns: Columns, row: Row, intent: Intent) -> Outcome:
    ending = columns.text(row, "outcome", "served").strip().lower()
    if ending not in OutcomeKind.__args__:
        if ending not in _TRUE and ending not in _FALSE and ending not in ("0", "1"):
            step = f"Write one of {', '.join(OutcomeKind.__args__)}, or true and false"
            raise TraceError(f"{columns.place}:{row[0]}", f"no outcome: {ending[:40]!r}", step)
        ending = "served" if ending == "1" or ending in _TRUE else "failed"
    e2e_s = columns.number(row, "e2e_s")
    return Outcome(
        id=intent.id,
        at=intent.at + e2e_s,
        outcome=cast(OutcomeKind, ending),
        endpoint=intent.endpoint,
        attempts=intent.attempt,
        status=0,
        code="",
        reason="",
        input_tokens=intent.tokens_kept,
        cached_tokens=int(columns.number(row, "cached_tokens")),
        output_tokens=int(columns.number(row, "output_tokens")),
        ttft_s=columns.number(row, "ttft_s"),
        e2e_s=e2e_s,
        in_time=columns.number(row, "in_time", float(ending == "served")) > 0.5,
        cost_usd=columns.number(row, "cost_usd"),
        model=intent.model,
    )


def _candidates(columns: Columns, row: Row) -> tuple[Candidate, ...]:
    """`name=chance` words, as in `fast-1=0.8 slow-1=0.2`."""
    found = []
    for word in columns.text(row, "candidates").split():
        name, equals, chance = word.rpartition("=")
        try:
            value = float(chance)
        except ValueError:
            value = -1.0
        if not equals or not 0.0 <= value <= 1.0:
            step = "Write `name=chance` for each, as in `fast-1=0.8 slow-1=0.2`"
            raise TraceError(f"{columns.place}:{row[0]}", f"no candidate: {word[:40]!r}", step)
        found.append(Candidate(name, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, value))
    return tuple(found)


def answers(columns: Columns, rows: Iterable[Row]) -> Iterator[Answer]:
    """A row per answer of a canary. Raises TraceError naming the row."""
    columns.need("prompt", "backend", "outcome")
    for row in rows:
        yield Answer(
            prompt=columns.text(row, "prompt"),
            backend=columns.text(row, "backend"),
            load=int(columns.number(row, "load")),
            seed=int(columns.number(row, "seed")),
            previous=columns.text(row, "previous"),
            outcome=columns.number(row, "outcome"),
        )


def _close(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    found = get_close_matches(name, known, n=1)
    return f"Did you mean {found[0]!r}? " if found else ""
