"""How are the client statistics of ServeGen read? (Alibaba Model Studio, NSDI '26, Apache-2.0.)

No request is in them: two tables say how fast, how unevenly and how long each client asks, window
by window. Arrivals: `model,client,t_s,rate,cv,pat,p1,p2`, one row per client and window of
`WINDOW_S` with any request; `rate` in 1/s, `cv` of its inter-arrivals, `pat` Gamma or Weibull, p1
its shape (p2, the scale, follows from the rate). Lengths: `model,client,t_s,field,...,q01..q99,max`
for the fields input_tokens and output_tokens. They make no trace; `sim/clientload.py` does.
"""

import math
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceError
from flyball.units import Ratio, Seconds

WINDOW_S: Seconds = 600.0
# Probability of each column of a table of lengths; the least value is not told, so q01 stands for
# everything below it.
QUANTILES: dict[str, Ratio] = {
    "q01": 0.01, "q05": 0.05, "q10": 0.1, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q90": 0.9,
    "q95": 0.95, "q99": 0.99, "max": 1.0,
}  # fmt: skip
_ARRIVALS = ("model", "client", "t_s", "rate", "cv", "pat", "p1")
_LENGTHS = ("model", "client", "t_s", "field", *QUANTILES)
_FIELDS = ("input_tokens", "output_tokens")

Pattern = Literal["Gamma", "Weibull"]


class Window(Struct, frozen=True, kw_only=True, gc=False):
    """`WINDOW_S` of one client from `begin_s` on: calls per second, and how unevenly they come."""

    begin_s: Seconds
    rate: float
    cv: float
    pattern: Pattern
    shape: float


class Lengths(Struct, frozen=True, kw_only=True):
    """Tokens at the probabilities of `QUANTILES`, from `begin_s` until the next of that client."""

    begin_s: Seconds
    input_tokens: tuple[float, ...]
    output_tokens: tuple[float, ...]


class Client(Struct, frozen=True, kw_only=True):
    """One client of one model; `lengths` may be () where none were published."""

    model: str
    number: int
    windows: tuple[Window, ...]
    lengths: tuple[Lengths, ...]


def read(
    arrivals: Iterable[bytes],
    arrivals_place: str,
    lengths: Iterable[bytes],
    lengths_place: str,
    models: Collection[str] = (),
) -> list[Client]:
    """Clients with their windows and lengths in time order, by model and number.

    `models` = only these; () = all. Raises TraceError for a column that is missing, a cell that
    does not fit, a window told twice, a model that is not there, or one without any lengths.
    """
    windows = _windows(arrivals, arrivals_place)
    there = {model for model, _ in windows}
    strange = next((model for model in models if model not in there), None)
    if strange is not None:
        raise TraceError(arrivals_place, f"no client of {strange!r}", f"There are {sorted(there)}")
    if models:
        windows = {key: value for key, value in windows.items() if key[0] in models}
    tables = _tables(lengths, lengths_place)
    known = {model for model, _ in tables}
    lost = next((model for model, _ in windows if model not in known), None)
    if lost is not None:
        text = f"no client of {lost} has input_tokens and output_tokens"
        raise TraceError(lengths_place, text, "Give the lengths of that model, or leave it out")
    return [
        Client(
            model=model,
            number=number,
            windows=tuple(windows[model, number]),
            lengths=tuple(tables.get((model, number), ())),
        )
        for model, number in sorted(windows)
    ]


def _windows(lines: Iterable[bytes], place: str) -> dict[tuple[str, int], list[Window]]:
    found: dict[tuple[str, int], list[Window]] = {}
    for line, cells in fields.table(lines, place, Tally(), _ARRIVALS):
        model, client, begin, rate, cv, pattern, shape = cells
        if pattern not in ("Gamma", "Weibull"):
            text = f"pat is {pattern!r}, neither Gamma nor Weibull"
            raise TraceError(f"{place}:{line}", text, "Correct or delete the row")
        one = Window(
            begin_s=fields.seconds(begin, place, line, "t_s"),
            rate=_above_zero(rate, place, line, "rate"),
            cv=_above_zero(cv, place, line, "cv"),
            pattern=pattern,
            shape=_above_zero(shape, place, line, "p1"),
        )
        found.setdefault((model, fields.count(client, place, line, "client")), []).append(one)
    if not found:
        raise TraceError(place, "no window is in it", "Give a table with at least one row")
    for (model, number), windows in found.items():
        windows.sort(key=lambda one: one.begin_s)
        for first, second in pairwise(windows):
            if second.begin_s < first.begin_s + WINDOW_S:
                text = f"windows of client {number} of {model} overlap at {second.begin_s:g} s"
                raise TraceError(place, text, f"Give one row per {WINDOW_S:g} s")
    return found


def _tables(lines: Iterable[bytes], place: str) -> dict[tuple[str, int], list[Lengths]]:
    """(model, client) -> what has both fields, in time order."""
    halves: dict[tuple[str, int, float], dict[str, tuple[float, ...]]] = {}
    for line, cells in fields.table(lines, place, Tally(), _LENGTHS):
        model, client, begin, field, *quantiles = cells
        if field not in _FIELDS:
            continue
        values = tuple(
            fields.seconds(cell, place, line, name)
            for name, cell in zip(QUANTILES, quantiles, strict=True)
        )
        if list(values) != sorted(values):
            raise TraceError(f"{place}:{line}", "its quantiles fall", "Correct or delete the row")
        number = fields.count(client, place, line, "client")
        begin_s = fields.seconds(begin, place, line, "t_s")
        halves.setdefault((model, number, begin_s), {})[field] = values
    found: dict[tuple[str, int], list[Lengths]] = {}
    for (model, number, begin_s), both in sorted(halves.items()):
        if len(both) == len(_FIELDS):
            found.setdefault((model, number), []).append(Lengths(begin_s=begin_s, **both))
    return found


def _above_zero(cell: str, place: str, line: int, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        text = f"{column} is {cell!r}, not a number above 0"
        raise TraceError(f"{place}:{line}", text, "Correct or delete the row")
    return value
