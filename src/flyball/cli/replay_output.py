"""What does a running replay show on stderr, and where do its single answers go?"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Self

import click
import msgspec

from flyball.serve.load.generator import Answer, Progress
from flyball.units import Seconds

_LINE_EVERY_S = 5.0
# Rows per Parquet row group: what is held before it is written.
_BATCH = 10_000


@contextmanager
def show_progress(wall_s: Seconds) -> Iterator[Callable[[Progress], None]]:
    """A callback for `run_load`: a bar with the time left on a terminal, else a line each 5 s."""
    if not sys.stderr.isatty():
        yield _lines(wall_s)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("replay"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=max(wall_s, 0.001), counts="")

        def show(state: Progress) -> None:
            done = min(state.elapsed_s, wall_s)
            bar.update(task, completed=done, counts=_counts(state))

        yield show


def _lines(wall_s: Seconds) -> Callable[[Progress], None]:
    said_s = 0.0

    def show(state: Progress) -> None:
        nonlocal said_s
        if state.elapsed_s - said_s >= _LINE_EVERY_S:
            said_s = state.elapsed_s
            click.echo(f"{state.elapsed_s:.0f} of {wall_s:.0f} s: {_counts(state)}", err=True)

    return show


def _counts(state: Progress) -> str:
    return (
        f"sent {state.sent:,}, answered {state.answered:,}, refused {state.refused:,}, "
        f"failed {state.failed:,}, under way {state.in_flight:,}"
    )


class AnswerFile:
    """A file of one row per request: JSON lines, or Parquet if the name ends so (needs pyarrow).

    Raises ValueError for another ending or if pyarrow is absent, OSError if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix not in (".jsonl", ".parquet"):
            raise ValueError("the name must end in .jsonl or .parquet")
        if path.suffix == ".parquet" and find_spec("pyarrow") is None:
            raise ValueError("Parquet needs pyarrow: pip install 'flyball[parquet]', or .jsonl")
        self._is_parquet = path.suffix == ".parquet"
        self._file: BinaryIO = path.open("wb")
        self._encode = msgspec.json.Encoder().encode
        self._held: list[dict[str, Any]] = []
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        self._file.close()

    def write(self, answer: Answer) -> None:
        """Adds one row."""
        if not self._is_parquet:
            self._file.write(self._encode(answer) + b"\n")
            return
        self._held.append(msgspec.structs.asdict(answer))
        if len(self._held) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow  # pyright: ignore[reportMissingImports]
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]

        table = pyarrow.Table.from_pylist(self._held)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, table.schema, compression="zstd")
        self._writer.write_table(table)
        self._held.clear()
