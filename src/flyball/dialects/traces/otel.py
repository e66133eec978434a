"""How are OpenTelemetry GenAI spans read as a trace of requests?

OTLP JSON, one export per line (the Collector's file exporter) or one document, and arrays or
lines of plain spans (the SDKs' console exporter). Attribute names: the GenAI conventions, their
older names (`prompt_tokens`, `completion_tokens`, also written by vLLM), OpenInference and
OpenLLMetry. Spans that only wrap other calls (agents, tools) are left out: they count tokens twice.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceError, TraceRow

INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
SESSION = ("gen_ai.conversation.id", "gen_ai.session.id", "session.id", "gen_ai.thread.id")
MODEL = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "llm.request.model")
_WRAPPERS = {"invoke_agent", "create_agent", "execute_tool", "invoke_workflow"}
_NS_PER_S = 1_000_000_000
# A document that is not JSON lines must be held whole.
DOCUMENT_BYTES_MAX = 256 * 1024 * 1024

_Span = dict[str, Any]


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number and row, in file order (exporters write by end time: sort afterwards).

    Raises TraceError for what is not JSON or not spans, or a document over the size limit.
    """
    base: int | None = None
    for line, span in _spans(lines, place):
        attributes = _attributes(span.get("attributes"))
        given, made = _first(attributes, INPUT), _first(attributes, OUTPUT)
        wraps = attributes.get("gen_ai.operation.name") in _WRAPPERS
        if given is None or made is None or wraps:
            tally.without_tokens += 1
            continue
        begun_ns = _instant_ns(span, place, line)
        base = begun_ns if base is None else base
        yield (
            line,
            TraceRow(
                at_s=(begun_ns - base) / _NS_PER_S,
                input_tokens=fields.count(str(given), place, line, INPUT[0]),
                output_tokens=fields.count(str(made), place, line, OUTPUT[0]),
                session=str(_first(attributes, SESSION) or ""),
                model=str(_first(attributes, MODEL) or ""),
            ),
        )


def _spans(lines: Iterable[bytes], place: str) -> Iterator[tuple[int, _Span]]:
    """Each span with the line of its export; a document that is not JSON lines has line 1."""
    source = iter(lines)
    head = next((line for line in source if not line.isspace()), b"")
    if not head:
        raise TraceError(place, "the file is empty", "Give an export with at least one span")
    try:
        msgspec.json.decode(head)
    except msgspec.DecodeError:
        exports: Iterable[tuple[int, Any]] = ((1, _document(chain((head,), source), place)),)
    else:
        decoder = msgspec.json.Decoder(Any)
        exports = fields.json_lines(chain((head,), source), place, decoder)
    for line, export in exports:
        for span in _flatten(export):
            if not isinstance(span, dict):
                raise TraceError(
                    f"{place}:{line}",
                    "an entry is not a span",
                    "Export OTLP JSON, or an array of span objects",
                )
            yield line, span


def _document(lines: Iterable[bytes], place: str) -> Any:
    held = bytearray()
    for line in lines:
        held += line
        if len(held) > DOCUMENT_BYTES_MAX:
            raise TraceError(
                place,
                f"one JSON document of more than {DOCUMENT_BYTES_MAX >> 20} MiB",
                "Write one export per line (the Collector's file exporter does)",
            )
    try:
        return msgspec.json.decode(held)
    except msgspec.DecodeError as error:
        line = held.count(b"\n") + 1
        raise TraceError(
            f"{place}:{line}", f"not valid JSON ({error})", "Export the spans again"
        ) from None


def _flatten(export: Any) -> Iterator[Any]:
    """The spans of one OTLP export, one span, or an array of either."""
    if isinstance(export, list):
        for entry in export:
            yield from _flatten(entry)
    elif isinstance(export, dict) and ("resourceSpans" in export or "resource_spans" in export):
        for resource in export.get("resourceSpans") or export.get("resource_spans") or ():
            for scope in resource.get("scopeSpans") or resource.get("scope_spans") or ():
                yield from scope.get("spans") or ()
    else:
        yield export


def _attributes(said: Any) -> dict[str, Any]:
    """OTLP's list of {key, value: {intValue: "3"}} or a plain object, as a plain dict."""
    if isinstance(said, dict):
        return said
    plain: dict[str, Any] = {}
    for entry in said if isinstance(said, list) else ():
        value = entry.get("value") if isinstance(entry, dict) else None
        if isinstance(value, dict) and value:
            plain[str(entry.get("key"))] = next(iter(value.values()))
    return plain


def _first(attributes: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if name in attributes), None)


def _instant_ns(span: _Span, place: str, line: int) -> int:
    said = span.get("startTimeUnixNano") or span.get("start_time_unix_nano")
    said = said or span.get("start_time") or span.get("startTime")
    try:
        if isinstance(said, str) and not said.isdigit():
            moment = datetime.fromisoformat(said)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return int(moment.timestamp() * 1e6) * 1000
        return int(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TraceError(
            f"{place}:{line}",
            f"a span's start time is {said!r}",
            "Export startTimeUnixNano (OTLP) or start_time in ISO 8601",
        ) from None
