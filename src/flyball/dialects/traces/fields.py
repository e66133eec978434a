"""How are the cells of a CSV or JSON-lines trace taken apart, with errors that name file:line?"""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from flyball.dialects.traces.row import Tally, TraceError

_T = TypeVar("_T")

# One CSV cell or JSON line above this is not a trace (128 k blocks of 16 tokens make about 2 MB).
LINE_BYTES_MAX = 16 * 1024 * 1024
csv.field_size_limit(LINE_BYTES_MAX)


def table(
    lines: Iterable[bytes],
    place: str,
    tally: Tally,
    required: Sequence[str],
    optional: Sequence[str] = (),
) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells (required, then optional; "" where a column is absent) of each row.

    Column names match without regard to case and outer blanks. Raises TraceError if the header
    lacks a required column, or a row has another number of cells than the header.
    """
    reader = csv.reader(_text(lines, place))
    header = next(reader, None)
    if header is None:
        raise TraceError(place, "the file is empty", "Give a trace with a header and rows")
    places = _columns(header, place, tally, required, optional)
    width = len(header)
    try:
        for cells in reader:
            if not cells:
                continue
            if len(cells) != width:
                raise TraceError(
                    f"{place}:{reader.line_num}",
                    f"the row has {len(cells)} cells and the header {width}",
                    "Complete or delete the row (a file cut short ends like this)",
                )
            yield reader.line_num, [cells[i] if i >= 0 else "" for i in places]
    except csv.Error as error:
        raise TraceError(
            f"{place}:{reader.line_num}", f"not valid CSV ({error})", "Correct or delete the row"
        ) from None


def _columns(
    header: list[str],
    place: str,
    tally: Tally,
    required: Sequence[str],
    optional: Sequence[str],
) -> list[int]:
    names = [name.strip().lstrip("\ufeff").lower() for name in header]
    missing = [name for name in required if name.lower() not in names]
    if missing:
        raise TraceError(
            f"{place}:1",
            f"no column {', '.join(missing)} (found: {', '.join(header)})",
            "Rename the columns, or choose another --format",
        )
    wanted = [name.lower() for name in (*required, *optional)]
    tally.columns_unused = tuple(
        shown.strip() for shown, name in zip(header, names, strict=True) if name not in wanted
    )
    return [names.index(name) if name in names else -1 for name in wanted]


def _text(lines: Iterable[bytes], place: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise TraceError(
                f"{place}:{number}",
                "the line is not UTF-8 text",
                "Convert the file to UTF-8, or check that it is a trace at all",
            ) from None


def json_lines(
    lines: Iterable[bytes], place: str, decoder: msgspec.json.Decoder[_T]
) -> Iterator[tuple[int, _T]]:
    """Line number and decoded value of each line that is not blank.

    Raises TraceError for a line that is not JSON or lacks a field, or if there is no line.
    """
    number = 0
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield number, decoder.decode(line)
        except msgspec.ValidationError as error:
            raise TraceError(
                f"{place}:{number}",
                f"a field is missing or of the wrong type ({error})",
                "Correct the line, or choose another --format",
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TraceError(
                f"{place}:{number}",
                f"not valid JSON ({error})",
                "Complete or delete the line (a file cut short ends like this)",
            ) from None
    if number == 0:
        raise TraceError(place, "the file is empty", "Give a trace with at least one line")


def count(cell: str, place: str, line: int, column: str) -> int:
    """A number of tokens: a whole number >= 0 (also written 12.0), or TraceError."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    return whole(value, cell, place, line, column)


def whole(value: float, shown: object, place: str, line: int, column: str) -> int:
    """`value` as an int if it is whole and in 0..1e9, or TraceError that shows `shown`."""
    if not 0 <= value <= 1e9 or value != int(value):
        raise TraceError(
            f"{place}:{line}",
            f"{column} is {shown!r}, not a whole number of tokens from 0",
            "Correct or delete the row",
        )
    return int(value)


def seconds(value: float | str, place: str, line: int, column: str) -> float:
    """A time relative to the start of a trace: finite and >= 0, or TraceError."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise TraceError(
            f"{place}:{line}",
            f"{column} is {value!r}, not a time from 0 on",
            "Correct or delete the row",
        )
    return number
