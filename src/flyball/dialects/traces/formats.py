"""Which format is a trace in, and which reader takes it?"""

from collections.abc import Iterable, Iterator

import msgspec

from flyball.dialects.traces import (
    agentic,
    agentsteps,
    azure,
    bailian,
    burstgpt,
    mooncake,
    otel,
    records,
    table,
)
from flyball.dialects.traces.order import in_order
from flyball.dialects.traces.row import Reader, Tally, TraceError, TraceRow


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """A reader, how far its rows may be out of time order (rows), and the layout in one line."""

    read: Reader
    window_rows: int
    layout: str


FORMATS: dict[str, Format] = {
    "azure": Format(
        read=azure.read,
        window_rows=4096,
        layout="CSV: TIMESTAMP,ContextTokens,GeneratedTokens",
    ),
    "mooncake": Format(
        read=mooncake.read,
        window_rows=1024,
        layout="JSON lines: timestamp (ms), input_length, output_length, hash_ids",
    ),
    "bailian": Format(
        read=bailian.read,
        window_rows=1024,
        layout="JSON lines: chat_id, parent_chat_id, timestamp (s), input_length, output_length",
    ),
    "burstgpt": Format(
        read=burstgpt.read,
        window_rows=4096,
        layout="CSV: Timestamp,Model,Request tokens,Response tokens,...",
    ),
    "otel": Format(
        read=otel.read,
        window_rows=65_536,
        layout="OpenTelemetry GenAI spans: OTLP JSON (lines or one document), span arrays",
    ),
    "records": Format(
        read=records.read,
        window_rows=65_536,
        layout="JSON lines of Flyball's own records (intent, outcome)",
    ),
    "agentic": Format(
        read=agentic.read,
        window_rows=1,
        layout="CSV or Parquet: trace_id,t_s,in_tokens,out_tokens,model,agent,blocks_rle",
    ),
    "agentsteps": Format(
        read=agentsteps.read,
        window_rows=1,
        layout="CSV: workload,session,step,t_s,in_chars,out_chars,lcp_prev_chars",
    ),
    "table": Format(
        read=table.read,
        window_rows=4096,
        layout="CSV: arrival_s,input_tokens,output_tokens,session,model,class_name",
    ),
}


def detect(first_bytes: bytes, filename: str) -> str:
    """The name of the format in `FORMATS`, judged by the first bytes (plain, not compressed).

    Raises TraceError, listing the formats, if none fits.
    """
    text = first_bytes.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text:
        raise TraceError(filename, "the file is empty", "Give a trace with at least one request")
    line = text.splitlines()[0]
    found = _of_json(line, text) if line[0] in "[{" else _of_header(line)
    if found:
        return found
    known = "".join(f"\n  {name:9} {kind.layout}" for name, kind in FORMATS.items())
    raise TraceError(
        f"{filename}:1",
        f"no known trace format begins with {line[:60]!r}",
        f"Give --format if it is one of these:{known}\nand convert it otherwise",
    )


def _of_header(line: str) -> str:
    names = {name.strip().strip('"').lower() for name in line.split(",")}
    marks = {
        "azure": {"timestamp", "contexttokens", "generatedtokens"},
        "burstgpt": {"timestamp", "model", "request tokens", "response tokens"},
        "agentic": {"trace_id", "t_s", "in_tokens", "out_tokens"},
        "agentsteps": {"workload", "session", "t_s", "in_chars", "out_chars", "lcp_prev_chars"},
        "table": {"arrival_s", "input_tokens", "output_tokens"},
    }
    return next((name for name, mark in marks.items() if mark <= names), "")


def _of_json(line: str, text: str) -> str:
    try:
        said = msgspec.json.decode(line.encode())
    except msgspec.DecodeError:
        said = None
    if isinstance(said, dict):
        keys = {str(key) for key in said}
        if {"chat_id", "timestamp", "input_length"} <= keys:
            return "bailian"
        if {"timestamp", "input_length", "output_length"} <= keys:
            return "mooncake"
        if "kind" in keys and ({"id", "at"} <= keys):
            return "records"
    marks = ('"resourceSpans"', '"resource_spans"', '"attributes"', '"gen_ai.')
    return "otel" if any(mark in text for mark in marks) else ""


def read(name: str, lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[TraceRow]:
    """The rows of a trace in format `name`, in time order, from 0 s; `tally` counts as it goes.

    Memory is bounded by the format's window. Raises TraceError at the first line that does not
    fit, and KeyError for a format that is not in `FORMATS`.
    """
    kind = FORMATS[name]
    return in_order(kind.read(lines, place, tally), place, tally, kind.window_rows)
