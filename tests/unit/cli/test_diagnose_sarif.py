"""Is what is told as SARIF of the shape that the standard asks for?"""

import json

from jsonschema import Draft202012Validator

from flyball.cli.diagnose_output import Report
from flyball.cli.diagnose_sarif import as_sarif
from flyball.diagnosis.codes.code import LEVELS
from flyball.diagnosis.codes.codes import finding
from flyball.diagnosis.finding import Evidence
from flyball.diagnosis.suppress import Aside, Judged, Suppression
from flyball.diagnosis.topology.graph import LoopGraph
from flyball.dialects.telemetry.needs import Lack
from support.loops import loop

TEXT = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1}},
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
POSITIVE = {"type": "integer", "minimum": 1}
# The parts of sarif-schema-2.1.0.json that these documents use, with its bounds.
SHAPE = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"type": "string"},
                                    "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
                                },
                            }
                        },
                    },
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                    "invocations": {
                        "type": "array",
                        "items": {
                            "required": ["executionSuccessful"],
                            "additionalProperties": False,
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": {
                                    "type": "array",
                                    "items": {
                                        "required": ["message"],
                                        "additionalProperties": False,
                                        "properties": {"message": TEXT, "level": LEVEL},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {
        "rule": {
            "required": ["id"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "shortDescription": TEXT,
                "fullDescription": TEXT,
                "help": TEXT,
                "defaultConfiguration": {"properties": {"level": LEVEL}},
                "properties": {"type": "object"},
            },
        },
        "result": {
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": LEVEL,
                "message": TEXT,
                "locations": {
                    "type": "array",
                    "items": {
                        "additionalProperties": False,
                        "properties": {
                            "logicalLocations": {"type": "array"},
                            "physicalLocation": {
                                "required": ["artifactLocation"],
                                "properties": {
                                    "artifactLocation": {"required": ["uri"]},
                                    "region": {
                                        "properties": {
                                            "startLine": POSITIVE,
                                            "startColumn": POSITIVE,
                                        }
                                    },
                                },
                            },
                        },
                    },
                },
                "partialFingerprints": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                },
                "rank": {"type": "number", "minimum": 0, "maximum": 100},
                "suppressions": {
                    "type": "array",
                    "items": {
                        "required": ["kind"],
                        "additionalProperties": False,
                        "properties": {
                            "kind": {"enum": ["inSource", "external"]},
                            "status": {"enum": ["accepted", "underReview", "rejected"]},
                            "justification": {"type": "string"},
                        },
                    },
                },
                "properties": {"type": "object"},
            },
        },
    },
}
FOUND = finding(
    "FB-101", at=5.0, loops=("b", "a"), actuators=("u",), scope="east", confidence=0.9,
    evidence=(Evidence(what="loops", value=2.0, limit=1.0),), summary="a and b both move u",
)  # fmt: skip
NOTE = finding(
    "FB-112", at=0.0, loops=("c",), actuators=("v",), confidence=0.6,
    evidence=(Evidence(what="x", value=1.0),), summary="c reinforces itself",
)  # fmt: skip
REPORT = Report(
    graph=LoopGraph(members=(loop("a", seen=("loops.yaml:3:5",)), loop("c", seen=("registry",)))),
    judged=Judged(
        kept=(FOUND,),
        aside=(Aside(NOTE, Suppression(code="FB-112", until=5.0, reason="known to be weak")),),
        expired=(),
        idle=(),
    ),
    lacks=(Lack("fast.replicas", "no margin"),),
)


def test_it_is_of_the_standards_shape() -> None:
    document = json.loads(as_sarif(REPORT))
    Draft202012Validator(SHAPE).validate(document)
    assert set(LEVELS) <= set(LEVEL["enum"])


def test_results_have_place_rule_rank_and_suppression() -> None:
    (run,) = json.loads(as_sarif(REPORT))["runs"]
    one, other = run["results"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["FB-101", "FB-112"]
    place = one["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "loops.yaml"
    assert place["region"] == {"startLine": 3, "startColumn": 5}
    assert (one["level"], one["rank"], one["ruleIndex"]) == ("error", 90.0, 0)
    assert "suppressions" not in one and other["suppressions"][0]["justification"]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["message"]["text"] == "without fast.replicas: no margin"


def test_a_finding_keeps_its_fingerprint_while_its_numbers_move() -> None:
    def mark(report: Report) -> str:
        return json.loads(as_sarif(report))["runs"][0]["results"][0]["partialFingerprints"]

    later = finding(
        "FB-101", at=9.0, loops=("b", "a"), actuators=("u",), scope="east", confidence=0.8,
        evidence=(Evidence(what="loops", value=3.0, limit=1.0),), summary="otherwise",
    )  # fmt: skip
    judged = Judged(kept=(later,), aside=(), expired=(), idle=())
    assert mark(REPORT) == mark(Report(graph=REPORT.graph, judged=judged))
