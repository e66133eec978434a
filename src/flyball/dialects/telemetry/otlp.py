"""Which spans and metric points stand in an OTLP export, as JSON or as protobuf?

JSON: one export per line (the Collector's file exporter) or one document. Protobuf: one message, or
messages each behind its length in 4 bytes, most significant first (the file exporter's `proto`).
A file is read in pieces: no more than one export is held. Encoding: opentelemetry-proto, OTLP 1.x.
"""

from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec
from msgspec import Struct

from flyball.dialects.traces.row import TraceError
from flyball.units import Seconds

EXPORT_BYTES_MAX = 256 << 20
_NS = 1e-9
_SECONDS_MIN, _SECONDS_MAX = 1e9, 4.1e9  # 2001 to 2099
Attributes = dict[str, Any]


class Span(Struct, frozen=True, gc=False):
    """One span; `attributes` with those of its resource beneath its own; times in Unix seconds."""

    trace: str
    id: str
    parent: str
    name: str
    begin_s: Seconds
    end_s: Seconds
    is_error: bool
    attributes: Attributes


class Point(Struct, frozen=True, gc=False):
    """One sample of one series; `is_delta` = the counter's increase since the sample before."""

    name: str
    labels: dict[str, str]
    at: Seconds
    value: float
    is_delta: bool = False


class _Value(Struct, frozen=True, rename="camel", gc=False):
    string_value: str | None = None
    int_value: int | str | None = None
    double_value: float | None = None
    bool_value: bool | None = None
    array_value: "_Array | None" = None


class _Array(Struct, frozen=True, gc=False):
    values: tuple[_Value, ...] = ()


class _Attribute(Struct, gc=False):
    key: str = ""
    value: _Value = _Value()


class _Status(Struct, frozen=True, gc=False):
    code: int | str = 0


class _JsonSpan(Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[_Attribute] = []
    status: _Status = _Status()


class _Number(Struct, rename="camel"):
    attributes: list[_Attribute] = []
    time_unix_nano: int | str = 0
    as_double: float | None = None
    as_int: int | str | None = None
    sum: float = 0.0
    count: int | str = 0


class _Data(Struct, rename="camel"):
    data_points: list[_Number] = []
    aggregation_temporality: int | str = 2


class _JsonMetric(Struct, rename="camel"):
    name: str = ""
    unit: str = ""
    gauge: _Data | None = None
    sum: _Data | None = None
    histogram: _Data | None = None


class _Scope(Struct, rename="camel"):
    spans: list[_JsonSpan] = []
    metrics: list[_JsonMetric] = []


class _Resource(Struct, frozen=True):
    attributes: list[_Attribute] = []


class _Group(Struct, rename="camel"):
    resource: _Resource = _Resource()
    scope_spans: list[_Scope] = []
    scope_metrics: list[_Scope] = []


class _Export(Struct, rename="camel"):
    resource_spans: list[_Group] = []
    resource_metrics: list[_Group] = []


_decode = msgspec.json.Decoder(_Export).decode


def read(stream: IO[bytes], place: str) -> Iterator[Span | Point]:
    """Everything in a file, in its order. Raises TraceError naming the line or byte at fault."""
    head = stream.read(1)
    if not head:
        raise TraceError(place, "the file is empty", "Give an export with at least one span")
    # No newline among them: it is the tag of a protobuf message's first field.
    if head in b"{[ \t":
        yield from _json(head, stream, place)
    else:
        yield from _protobuf(head, stream, place)


def _json(head: bytes, stream: IO[bytes], place: str) -> Iterator[Span | Point]:
    first = head + stream.readline(EXPORT_BYTES_MAX)
    number, line = 1, first
    while line:
        if not line.isspace():
            try:
                export = _decode(line)
            except msgspec.DecodeError as error:
                if number > 1:
                    raise _cut(f"{place}:{number}", error) from None
                export = _document(first, stream, place)
            yield from _of_export(export, f"{place}:{number}")
        line = stream.readline(EXPORT_BYTES_MAX)
        number += 1


def _document(first: bytes, stream: IO[bytes], place: str) -> _Export:
    """A document over several lines."""
    whole = first + stream.read(EXPORT_BYTES_MAX)
    if len(whole) >= EXPORT_BYTES_MAX:
        step = "Write one export per line (the Collector's file exporter does)"
        raise TraceError(place, f"one document of over {EXPORT_BYTES_MAX >> 20} MiB", step)
    try:
        return _decode(whole)
    except msgspec.DecodeError as error:
        raise _cut(place, error) from None


def _cut(place: str, error: Exception) -> TraceError:
    step = "Export it again; a file that was cut short ends like this"
    return TraceError(place, f"no OTLP export in JSON ({error})", step)


def _of_export(export: _Export, place: str) -> Iterator[Span | Point]:
    for group in export.resource_spans:
        beneath = _plain(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield _span(span, beneath, place)
    for group in export.resource_metrics:
        beneath = _plain(group.resource.attributes)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                yield from _points(metric, beneath, place)


def _span(span: _JsonSpan, beneath: Attributes, place: str) -> Span:
    begin, end = _seconds(span.start_time_unix_nano), _seconds(span.end_time_unix_nano)
    return Span(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        timely(begin, place, "a span's startTimeUnixNano"),
        max(begin, end),
        span.status.code in (2, "STATUS_CODE_ERROR"),
        beneath | _plain(span.attributes),
    )


def timely(seconds: float, place: str, what: str) -> Seconds:
    """The time, if it is one of this century. Raises TraceError for one that is not."""
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        step = "Times must be Unix times; look for milliseconds in the place of seconds"
        raise TraceError(place, f"{what} is {seconds:g} s, which is no time of this century", step)
    return seconds


def _seconds(nanoseconds: int | str) -> float:
    try:
        return int(nanoseconds) * _NS
    except ValueError:
        return 0.0


def _plain(said: list[_Attribute]) -> Attributes:
    found: Attributes = {}
    for one in said:
        value = one.value
        text = value.string_value
        found[one.key] = text if text is not None else _value(value)
    return found


def _value(value: _Value) -> Any:
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        told = value.int_value
        return int(told) if isinstance(told, int) or told.lstrip("-").isdigit() else 0
    if value.array_value is not None:
        return [_value(one) for one in value.array_value.values]
    return value.double_value if value.double_value is not None else value.bool_value


def _points(metric: _JsonMetric, beneath: Attributes, place: str) -> Iterator[Point]:
    name = metric.name
    for data, is_sum in ((metric.gauge, False), (metric.sum, True), (metric.histogram, True)):
        if data is None:
            continue
        is_delta = is_sum and data.aggregation_temporality in (1, "AGGREGATION_TEMPORALITY_DELTA")
        for one in data.data_points:
            labels = _labels(beneath | _plain(one.attributes))
            at = timely(_seconds(one.time_unix_nano), place, f"the time of a point of {name}")
            if data is metric.histogram:
                yield Point(f"{name}_sum", labels, at, one.sum, is_delta)
                yield Point(f"{name}_count", labels, at, float(one.count), is_delta)
            else:
                value = one.as_double if one.as_double is not None else float(one.as_int or 0)
                yield Point(name, labels, at, value, is_delta)


def _labels(attributes: Attributes) -> dict[str, str]:
    return {key.replace(".", "_"): str(value) for key, value in attributes.items()}


def _protobuf(head: bytes, stream: IO[bytes], place: str) -> Iterator[Span | Point]:
    try:
        from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
        from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
    except ImportError:
        step = "Install it with `pip install 'flyball[serve]'`, or export JSON"
        raise TraceError(place, "OTLP protobuf needs opentelemetry-proto", step) from None
    for at, message in _messages(head, stream, place):
        traces = _parsed(TracesData, message)
        spans = [] if traces is None else [*_proto_spans(traces, place)]
        if spans:
            yield from spans
            continue
        metrics = _parsed(MetricsData, message)
        points = [] if metrics is None else [*_proto_points(metrics, place)]
        if not points and message:
            step = "Give an export of traces or metrics; one that was cut short ends like this"
            raise TraceError(f"{place}: byte {at:,}", "no OTLP protobuf message", step)
        yield from points


def _parsed(kind: Callable[[], Any], message: bytes) -> Any:
    """The message, or None if it is none of this kind."""
    from google.protobuf.message import DecodeError

    made = kind()
    try:
        made.ParseFromString(message)
    except DecodeError:
        return None
    return made


def _messages(head: bytes, stream: IO[bytes], place: str) -> Iterator[tuple[int, bytes]]:
    """Each message and where it begins. A message begins with the tag of its first field (0x0a), a
    length of less than 2^24 with a zero."""
    if head == b"\x0a":
        whole = head + stream.read(EXPORT_BYTES_MAX)
        if len(whole) > EXPORT_BYTES_MAX:
            step = "Let the file exporter write one message per batch (format: proto)"
            raise TraceError(place, f"one message of over {EXPORT_BYTES_MAX >> 20} MiB", step)
        yield 0, whole
        return
    at, start = 0, head + stream.read(3)
    while start:
        size = int.from_bytes(start, "big")
        if len(start) < 4 or size > EXPORT_BYTES_MAX:
            step = "Give OTLP as JSON lines or as length-prefixed protobuf"
            raise TraceError(f"{place}: byte {at:,}", f"no length of a message: {size:,}", step)
        message = stream.read(size)
        if len(message) < size:
            wrong = f"the file ends {size - len(message):,} bytes before its last message does"
            raise TraceError(f"{place}: byte {at:,}", wrong, "It was cut short: export it again")
        yield at, message
        at += 4 + size
        start = stream.read(4)


def _proto_spans(data: Any, place: str) -> Iterator[Span]:
    for group in data.resource_spans:
        beneath = _proto_plain(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                if len(span.span_id) not in (0, 8):
                    return  # bytes of another kind of message
                begin = span.start_time_unix_nano * _NS
                yield Span(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    timely(begin, place, "a span's start_time_unix_nano"),
                    max(begin, span.end_time_unix_nano * _NS),
                    span.status.code == 2,
                    beneath | _proto_plain(span.attributes),
                )


def _proto_plain(said: Any) -> Attributes:
    found = {}
    for one in said:
        value = one.value
        kind = value.WhichOneof("value")
        if kind == "array_value":
            rows = value.array_value.values
            found[one.key] = [getattr(row, row.WhichOneof("value") or "kind", "") for row in rows]
        elif kind:
            found[one.key] = getattr(value, kind)
    return found


def _proto_points(data: Any, place: str) -> Iterator[Point]:
    for group in data.resource_metrics:
        beneath = _proto_plain(group.resource.attributes)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind not in ("gauge", "sum", "histogram"):
                    continue
                held = getattr(metric, kind)
                is_delta = kind != "gauge" and held.aggregation_temporality == 1
                for one in held.data_points:
                    labels = _labels(beneath | _proto_plain(one.attributes))
                    what = f"the time of a point of {metric.name}"
                    at = timely(one.time_unix_nano * _NS, place, what)
                    if kind == "histogram":
                        yield Point(f"{metric.name}_sum", labels, at, one.sum, is_delta)
                        yield Point(f"{metric.name}_count", labels, at, one.count, is_delta)
                    else:
                        value = getattr(one, one.WhichOneof("value") or "as_double")
                        yield Point(metric.name, labels, at, float(value), is_delta)
