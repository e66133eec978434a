"""How is a recorded incident laid out in a folder, and what do its files say?

`signals.csv` or `signals.parquet` (a column `time_s`, then signals), `loops.yaml` (the form of
`flyball diagnose --loops`), a `change-SECONDS.yaml` for each change of configuration (the form of
`flyball diagnose --what-if`; applied at that second of the table, known to operators before, so
detectors may read it) and `truth.yaml`, which detectors may not see. A detector writes one finding
a line: `{"at": 600, "kind": "gain margin", "loops": ["router"]}`. Here is text alone; files are
opened by the command.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from flyball.diagnosis.signals import TIME, Signals, from_columns
from flyball.sim.incidents.truth import Truth
from flyball.units import Seconds

SIGNALS = ("signals.parquet", "signals.csv")
LOOPS, TRUTH = "loops.yaml", "truth.yaml"
FINDINGS = "findings"
_CHANGE = "change-"
ROWS_MAX = 2_000_000
FINDINGS_MAX = 100_000


class Told(Struct, frozen=True, kw_only=True):
    """What a detector told: when (the table's time), and, if it can say so, kind and loops, the
    one to act on first."""

    at: Seconds
    kind: str = ""
    loops: tuple[str, ...] = ()


class Applied(Struct, frozen=True, kw_only=True):
    """A change of configuration, in the form of `flyball diagnose --what-if`, applied at `at`."""

    at: Seconds
    change: dict[str, Any]


class Incident(Struct, frozen=True, kw_only=True):
    """A folder's content: what detectors may read, and the truth."""

    signals: Signals
    loops: dict[str, Any]
    changes: tuple[Applied, ...]
    truth: Truth


def csv_text(signals: Signals) -> str:
    """The table as CSV, six digits a number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([TIME, *signals.names])
    for at, row in zip(signals.times_s, signals.values, strict=True):
        writer.writerow([f"{at:.10g}", *(f"{value:.6g}" for value in row)])
    return out.getvalue()


def signals_of(lines: Iterable[str]) -> Signals:
    """A table from lines of CSV; an empty field is a gap.

    Raises ValueError naming the line where a field is no number, or the table is none.
    """
    rows = csv.reader(lines)
    head = next(rows, [])
    if len(set(head)) != len(head):
        raise ValueError("line 1: a column's name stands there twice")
    table: list[list[float]] = []
    for number, row in enumerate(rows, 2):
        if len(row) != len(head) or number > ROWS_MAX:
            raise ValueError(f"line {number}: {len(row)} fields for {len(head)} columns")
        try:
            table.append([float(field) if field else np.nan for field in row])
        except ValueError:
            raise ValueError(f"line {number}: not all fields are numbers") from None
    values = np.array(table).reshape(len(table), len(head))
    return from_columns({name: values[:, place] for place, name in enumerate(head)})


def told_text(told: Iterable[Told]) -> str:
    """Findings as JSON lines, in order of time."""
    lines = [msgspec.json.encode(one).decode() for one in sorted(told, key=lambda one: one.at)]
    return "".join(f"{line}\n" for line in lines)


def told_of(text: str) -> tuple[Told, ...]:
    """What a detector wrote, in order of time. Raises ValueError naming the line that is wrong."""
    found: list[Told] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if len(found) >= FINDINGS_MAX:
            raise ValueError(f"line {number}: more than {FINDINGS_MAX:,} findings")
        try:
            found.append(msgspec.json.decode(line, type=Told))
        except msgspec.DecodeError as error:
            raise ValueError(f"line {number}: {error}") from None
    return tuple(sorted(found, key=lambda one: one.at))


def change_name(at: Seconds) -> str:
    """The file of a change that is applied at `at`."""
    return f"{_CHANGE}{at:.0f}.yaml"


def changed_at(name: str) -> Seconds | None:
    """When the change in a file of this name is applied; None = the file is no change."""
    digits = name.removeprefix(_CHANGE).removesuffix(".yaml")
    return float(digits) if name == f"{_CHANGE}{digits}.yaml" and digits.isdecimal() else None
