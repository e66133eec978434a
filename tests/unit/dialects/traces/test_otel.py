"""Are GenAI spans read in every shape and with every name that exporters write?"""

import json
from typing import Any

import pytest

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally, TraceError

T0 = 1_700_000_000_000_000_000


def _otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]}


def _span(at_s: float, **attributes: int | str) -> dict[str, Any]:
    listed = [
        {
            "key": key.replace("__", "."),
            "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v},
        }
        for key, v in attributes.items()
    ]
    begun = T0 + int(at_s * 1e9)
    return {"name": "chat m", "startTimeUnixNano": str(begun), "attributes": listed}


NEW = {"gen_ai__usage__input_tokens": 30, "gen_ai__usage__output_tokens": 4}
OLD = {"gen_ai__usage__prompt_tokens": 31, "gen_ai__usage__completion_tokens": 5}
INFERENCE = {"llm__token_count__prompt": 32, "llm__token_count__completion": 6}


def _read(data: bytes) -> tuple[list[Any], Tally]:
    tally = Tally()
    assert formats.detect(data, "s.json") == "otel"
    return list(formats.read("otel", data.splitlines(keepends=True), "s.json", tally)), tally


def test_lines_of_otlp_in_end_order() -> None:
    late = _span(5, **NEW, gen_ai__conversation__id="c1", gen_ai__request__model="m")
    early = _span(2, **OLD, session__id="c2")
    data = b"".join(json.dumps(_otlp(span)).encode() + b"\n" for span in (late, early))
    rows, tally = _read(data)
    assert [(row.at_s, row.input_tokens, row.output_tokens) for row in rows] == [
        (0.0, 31, 5), (3.0, 30, 4),
    ]  # fmt: skip
    assert [row.session for row in rows] == ["c2", "c1"]
    assert rows[1].model == "m"
    assert tally.reordered == 1


def test_one_indented_document() -> None:
    rows, _ = _read(json.dumps(_otlp(_span(0, **INFERENCE)), indent=2).encode())
    assert (rows[0].input_tokens, rows[0].output_tokens) == (32, 6)


def test_array_of_plain_spans() -> None:
    attributes = {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 8}
    spans = [
        {"name": "a", "start_time": "2026-01-01T00:00:01.250000Z", "attributes": attributes},
        {"name": "b", "start_time": "2026-01-01T00:00:00Z", "attributes": attributes},
    ]
    rows, _ = _read(json.dumps(spans).encode())
    assert [row.at_s for row in rows] == [0.0, 1.25]


def test_wrappers_and_other_spans_are_counted() -> None:
    wrapper = _span(0, **NEW, gen_ai__operation__name="invoke_agent")
    http = _span(0, http__status=200)
    rows, tally = _read(json.dumps(_otlp(wrapper, http, _span(1, **NEW))).encode())
    assert len(rows) == 1
    assert tally.notes() == ["2 entries without token counts skipped"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"resourceSpans": [\n{"scopeSpans"', "s.json:2: not valid JSON"),
        (b"[1, 2]", "s.json:1: an entry is not a span"),
        (b'{"resourceSpans": []}', "no request is left in it"),
        (b"\n\n", "the file is empty"),
        (
            json.dumps({**_span(0, **NEW), "startTimeUnixNano": None}).encode(),
            "a span's start time is None",
        ),
    ],
)
def test_faults(data: bytes, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        list(formats.read("otel", data.splitlines(keepends=True), "s.json", Tally()))
    assert said in str(caught.value)
