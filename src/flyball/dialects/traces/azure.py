"""How is an Azure LLM inference trace read? (AzurePublicDataset, 2023 and 2024 files, CC-BY.)

Columns `TIMESTAMP,ContextTokens,GeneratedTokens`; the time is UTC with up to seven decimals
(100 ns ticks), in the 2024 files with an offset (`+00:00`). No session, model or prefix.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceError, TraceRow


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row, in file order; `at_s` counts from the first row's whole second.

    Raises TraceError for a missing column or a cell that is not a time or a count.
    """
    base: int | None = None
    cells_of = fields.table(lines, place, tally, ("TIMESTAMP", "ContextTokens", "GeneratedTokens"))
    for line, (stamp, given, made) in cells_of:
        whole_s, fraction_s = _instant(stamp, place, line)
        if base is None:
            base = whole_s
        yield (
            line,
            TraceRow(
                at_s=(whole_s - base) + fraction_s,
                input_tokens=fields.count(given, place, line, "ContextTokens"),
                output_tokens=fields.count(made, place, line, "GeneratedTokens"),
            ),
        )


def _instant(stamp: str, place: str, line: int) -> tuple[int, float]:
    """Whole Unix seconds and the fraction apart: one float would lose the 100 ns tick."""
    head, _, rest = stamp.strip().partition(".")
    digits = rest.rstrip("Zz").partition("+")[0].partition("-")[0]
    offset = rest[len(digits) :]
    try:
        moment = datetime.fromisoformat(head + offset)
        fraction_s = float(f"0.{digits}") if digits else 0.0
    except ValueError:
        raise TraceError(
            f"{place}:{line}",
            f"TIMESTAMP is {stamp!r}, not a time such as 2023-11-16 18:15:46.6805900",
            "Correct or delete the row",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()), fraction_s
