"""How is a BurstGPT trace read? (HPMLL/BurstGPT, CC-BY-4.0; releases 1.1 and 2.0.)

Columns `Timestamp` (s), `Model`, `Request tokens`, `Response tokens`, `Total tokens`, `Log Type`;
release 2.0 adds `Session ID` and `Elapsed time`. A failed request has 0 response tokens.
"""

from collections.abc import Iterable, Iterator

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceRow

_CLASSES = {"conversation log": "chat", "api log": "api"}


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row, in file order. Raises TraceError for a row that does not fit."""
    cells_of = fields.table(
        lines,
        place,
        tally,
        ("Timestamp", "Model", "Request tokens", "Response tokens"),
        ("Log Type", "Session ID", "Total tokens", "Elapsed time"),
    )
    for line, (at, model, given, made, log_type, session, _, _) in cells_of:
        yield (
            line,
            TraceRow(
                at_s=fields.seconds(at, place, line, "Timestamp"),
                input_tokens=fields.count(given, place, line, "Request tokens"),
                output_tokens=fields.count(made, place, line, "Response tokens"),
                session=session,
                model=model,
                class_name=_CLASSES.get(log_type.strip().lower(), ""),
            ),
        )
