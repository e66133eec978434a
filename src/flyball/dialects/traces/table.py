"""How is a plain table of requests read, such as one's own log or an engine's request file?

Columns `arrival_s`, `input_tokens`, `output_tokens`, and where present `session`, `model`,
`class_name`.
"""

from collections.abc import Iterable, Iterator

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceRow


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row, in file order. Raises TraceError for a row that does not fit."""
    cells_of = fields.table(
        lines,
        place,
        tally,
        ("arrival_s", "input_tokens", "output_tokens"),
        ("session", "model", "class_name"),
    )
    for line, (at, given, made, session, model, class_name) in cells_of:
        yield (
            line,
            TraceRow(
                at_s=fields.seconds(at, place, line, "arrival_s"),
                input_tokens=fields.count(given, place, line, "input_tokens"),
                output_tokens=fields.count(made, place, line, "output_tokens"),
                session=session,
                model=model,
                class_name=class_name,
            ),
        )
