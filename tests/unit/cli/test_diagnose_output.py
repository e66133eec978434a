"""Are findings told with numbers, level and next step, and what is put aside or expired too?"""

import json
from typing import Any

from flyball.cli.diagnose_output import FORMS, Report, as_json, as_text, shown
from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence
from flyball.diagnosis.suppress import Aside, Judged, Suppression
from flyball.diagnosis.topology.preflight import Difference
from support.loops import graph, loop

FOUND = finding(
    "FB-101", at=0.0, loops=("a", "b"), actuators=("u",), scope="east", confidence=0.9,
    evidence=(
        Evidence(what="loops", value=2.0, limit=1.0),
        Evidence(what="gain", value=0.51234, unit="1/s", low=0.4, high=0.6),
    ),
    summary="a and b both move u",
)  # fmt: skip
NOTE = finding(
    "FB-112", at=0.0, loops=("c",), actuators=("v",), confidence=0.6,
    evidence=(Evidence(what="x", value=1.0),), summary="c reinforces itself",
)  # fmt: skip
RULE = Suppression(code="FB-112", until=5.0, reason="known to be weak")


def report(**fields: Any) -> Report:
    judged = Judged(**({"kept": (), "aside": (), "expired": (), "idle": ()} | fields))
    return Report(graph=graph(loop("a"), loop("b", is_acting=False)), judged=judged)


def test_the_gravest_comes_first_with_its_numbers_and_the_next_step() -> None:
    text = as_text(report(kept=(NOTE, FOUND)))
    assert text.index("FB-101 error: a and b both move u [east]") < text.index("FB-112 note")
    assert "  - gain: 0.5123 1/s [0.4, 0.6]" in text and "  -> flyball hold a" in text
    assert text.endswith("findings: 1 error, 0 warnings, 1 note (2 loops, 1 of them acting)")


def test_what_is_put_aside_expired_or_idle_is_said() -> None:
    text = as_text(report(aside=(Aside(NOTE, RULE),), expired=(RULE,), idle=(RULE,)))
    assert "put aside: FB-112 c reinforces itself (known to be weak)" in text
    assert "expired: the suppression of FB-112 (known to be weak) is over" in text
    assert "idle: the suppression of FB-112" in text


def test_what_a_change_does() -> None:
    change = Difference(new=(), gone=(FOUND,), kept=(NOTE,), worse=(NOTE,))
    told = report()
    text = as_text(Report(graph=told.graph, judged=told.judged, change=change))
    assert "gone: FB-101 a and b both move u" in text and "worse: FB-112" in text
    assert "new findings: 0 errors" in text


def test_json_holds_everything() -> None:
    data = json.loads(as_json(report(kept=(FOUND,), aside=(Aside(NOTE, RULE),))))
    (one,) = data["findings"]
    assert (one["level"], one["code"], one["loops"]) == ("error", "FB-101", ["a", "b"])
    assert one["evidence"][1]["low"] == 0.4
    assert data["suppressed"][0]["reason"] == "known to be weak"
    assert [member["name"] for member in data["graph"]["members"]] == ["a", "b"]


def test_a_number_without_limit_or_interval() -> None:
    assert shown(Evidence(what="x", value=12345.678)) == "x: 1.235e+04"
    assert set(FORMS) >= {"text", "json"}
