"""Of what is an explanation made: headings, sentences, tables?"""

from msgspec import Struct

from flyball.units import Seconds


class Table(Struct, frozen=True):
    """Cells as text; `marked` = number of the row that was chosen, or -1."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int = -1


class Section(Struct, frozen=True):
    """One heading with its sentences and at most one table."""

    heading: str
    lines: tuple[str, ...]
    table: Table | None = None


def utc(at: Seconds) -> str:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
