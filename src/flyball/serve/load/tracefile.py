"""How is a trace file opened: which format, compressed or not, cut short or not?"""

import gzip
import io
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import IO

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally, TraceError, TraceRow

_HEAD_BYTES = 65_536
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"


def rows(path: Path, format_name: str, tally: Tally) -> Iterator[TraceRow]:
    """The requests of a trace file in time order; `format_name` "auto" = judged by its head.

    Plain, gzip or (if pyarrow is installed) Parquet with a CSV format's columns. Streams: memory
    is bounded by the format's window. Raises TraceError for anything that cannot be read.
    """
    text = lines(path)
    if format_name == "auto":
        format_name, text = _detected(text, path.name)
    yield from formats.read(format_name, text, path.name, tally)


def detect(path: Path) -> str:
    """The name of the file's format; TraceError, listing the formats, if there is none."""
    return _detected(lines(path), path.name)[0]


def _detected(text: Iterator[bytes], name: str) -> tuple[str, Iterator[bytes]]:
    head: list[bytes] = []
    size = 0
    for line in text:
        head.append(line)
        size += len(line)
        if size >= _HEAD_BYTES:
            break
    found = formats.detect(b"".join(head)[:_HEAD_BYTES], name)
    return found, chain(head, text)


def lines(path: Path) -> Iterator[bytes]:
    """The lines, unpacked, Parquet as CSV; a damaged archive is reported with the line it breaks
    off after. Raises TraceError for what cannot be read."""
    number = 0
    try:
        with _opened(path) as stream:
            for line in stream:
                number += 1
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(
            f"{path.name}:{number + 1}",
            f"the gzip file is cut short or damaged ({error})",
            "Fetch it again, or unpack what is there with `gzip -dc` and replay that",
        ) from None
    except OSError as error:
        raise TraceError(
            str(path), f"cannot be read ({error.strerror or error})", "Give the path of a trace"
        ) from None


def _opened(path: Path) -> IO[bytes]:
    stream = path.open("rb")
    magic = stream.read(4)
    stream.seek(0)
    if magic[:2] == _GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=stream))  # type: ignore[arg-type]
    if magic == _ZSTD:
        stream.close()
        raise TraceError(path.name, "it is packed with zstd", "Unpack it first with `zstd -d`")
    if magic == _PARQUET:
        stream.close()
        return _parquet(path)
    return stream


def _parquet(path: Path) -> IO[bytes]:
    if find_spec("pyarrow") is None:
        raise TraceError(
            path.name,
            "reading Parquet needs pyarrow",
            "pip install 'flyball[parquet]', or give it as CSV",
        )
    from pyarrow import ArrowInvalid, csv, parquet  # pyright: ignore[reportMissingImports]

    packed = io.BytesIO()
    try:
        csv.write_csv(parquet.read_table(path), packed)
    except ArrowInvalid as error:
        raise TraceError(
            path.name,
            f"the Parquet file is damaged or nested ({str(error).splitlines()[0]})",
            "Write it again with plain columns, or as CSV",
        ) from None
    packed.seek(0)
    return packed
