"""Is an OTLP export read alike as JSON and protobuf, and a broken one refused with its place?"""

import io
import json
from typing import Any

import pytest

from flyball.dialects.telemetry import otlp
from flyball.dialects.telemetry.otlp import Point, Span
from flyball.dialects.traces.row import TraceError

T0 = 1_800_000_000 * 10**9
ATTRIBUTES = {
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.request.model": "m",
    "ratio": 0.5,
    "yes": True,
    "rows": ["a", "b"],
}


def value(said: Any) -> dict[str, Any]:
    if isinstance(said, bool):
        return {"boolValue": said}
    if isinstance(said, list):
        return {"arrayValue": {"values": [value(one) for one in said]}}
    kinds: dict[type, dict[str, Any]] = {
        int: {"intValue": str(said)}, float: {"doubleValue": said}, str: {"stringValue": said},
    }  # fmt: skip
    return kinds[type(said)]


def export(begin: int = T0) -> dict[str, Any]:
    attributes = [{"key": key, "value": value(said)} for key, said in ATTRIBUTES.items()]
    span = {
        "traceId": "0a" * 16,
        "spanId": "0b" * 8,
        "name": "chat m",
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(begin + 2 * 10**9),
        "attributes": attributes,
        "status": {"code": 2},
    }
    resource = {"attributes": [{"key": "service.name", "value": value("gw")}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def metrics() -> dict[str, Any]:
    point = {"timeUnixNano": str(T0), "attributes": [{"key": "pool", "value": value("fast")}]}
    rows = [
        {"name": "up", "gauge": {"dataPoints": [point | {"asInt": "3"}]}},
        {
            "name": "n",
            "sum": {"aggregationTemporality": 1, "dataPoints": [point | {"asDouble": 2.5}]},
        },
        {
            "name": "gen_ai.server.request.duration",
            "histogram": {
                "aggregationTemporality": 2,
                "dataPoints": [point | {"sum": 9.0, "count": "4"}],
            },
        },
    ]
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": rows}]}]}


def read(data: bytes) -> list[Span | Point]:
    return list(otlp.read(io.BytesIO(data), "f"))


def as_protobuf(document: dict[str, Any]) -> bytes:
    from google.protobuf import json_format

    if "resourceMetrics" in document:
        from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

        return json_format.ParseDict(document, MetricsData()).SerializeToString()
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    # protobuf's own JSON has bytes in base64, OTLP's in hexadecimal.
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    del span["traceId"], span["spanId"]
    made = json_format.ParseDict(document, TracesData())
    found = made.resource_spans[0].scope_spans[0].spans[0]
    found.trace_id, found.span_id = bytes.fromhex("0a" * 16), bytes.fromhex("0b" * 8)
    return made.SerializeToString()


def framed(*messages: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in messages)


def shapes() -> dict[str, bytes]:
    line = json.dumps(export()).encode()
    raw = as_protobuf(export())
    return {
        "lines": line + b"\n\n" + line + b"\n",
        "document": json.dumps(export(), indent=1).encode(),
        "message": raw,
        "framed": framed(raw, raw),
    }


@pytest.mark.parametrize("shape", shapes())
def test_a_span_is_the_same_in_every_shape(shape: str) -> None:
    spans = read(shapes()[shape])
    assert len(spans) == (2 if shape in ("lines", "framed") else 1)
    wanted = Span(
        "0a" * 16, "0b" * 8, "", "chat m", 1.8e9, 1.8e9 + 2, True,
        {"service.name": "gw", **ATTRIBUTES},
    )  # fmt: skip
    assert spans[0] == wanted


@pytest.mark.parametrize("is_proto", [False, True])
def test_metrics_become_points(is_proto: bool) -> None:
    data = framed(as_protobuf(metrics())) if is_proto else json.dumps(metrics()).encode()
    labels = {"pool": "fast"}
    assert read(data) == [
        Point("up", labels, 1.8e9, 3.0),
        Point("n", labels, 1.8e9, 2.5, True),
        Point("gen_ai.server.request.duration_sum", labels, 1.8e9, 9.0),
        Point("gen_ai.server.request.duration_count", labels, 1.8e9, 4.0),
    ]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "f: the file is empty"),
        (json.dumps(export()).encode() + b"\n" + b'{"resourceSp', "f:2: no OTLP export"),
        (b'{\n"resourceSpans": [', "f: no OTLP export"),
        (framed(as_protobuf(export()))[:-3], "f: byte 0: the file ends 3 bytes before"),
        (framed(b"\x0a\x03abc"), "f: byte 0: no OTLP protobuf message"),
        (b"\xff" * 40, "f: byte 0: no length"),
        (json.dumps(export(T0 // 1000)).encode(), "no time of this century"),
    ],
)
def test_what_is_broken_is_refused_with_its_place(data: bytes, place: str) -> None:
    with pytest.raises(TraceError, match=place):
        read(data)
