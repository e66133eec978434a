"""How are findings told as SARIF 2.1.0, which code hosts and editors show?

OASIS Standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0" (27 March 2020).
A loop that is declared in a file has that file and line as its place; all have logical locations.
"""

import re
from hashlib import sha256
from typing import Any

import msgspec

from flyball import __version__
from flyball.cli.diagnose_output import Report, shown
from flyball.diagnosis.codes.codes import CODES, level_of
from flyball.diagnosis.finding import Finding

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_PLACE = re.compile(r"(?P<file>[^:]+\.ya?ml):(?P<line>\d+)(?::(?P<column>\d+))?$")


def as_sarif(report: Report) -> str:
    """One run: a rule per code that is told, a result per finding, suppressed ones marked so."""
    told = [*report.judged.kept, *(one.finding for one in report.judged.aside)]
    rules = sorted({one.code for one in told})
    places = _places(report)
    results = [_result(one, rules, places) for one in report.judged.kept]
    for aside in report.judged.aside:
        reason = {"kind": "external", "status": "accepted", "justification": aside.by.reason}
        results.append(_result(aside.finding, rules, places) | {"suppressions": [reason]})
    driver = {
        "name": "flyball",
        "semanticVersion": __version__,
        "rules": [_rule(code) for code in rules],
    }
    notes = [{"level": "note", "message": {"text": _lack(one)}} for one in report.lacks]
    run = {
        "tool": {"driver": driver},
        "results": results,
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(document, enc_hook=float)).decode()


def _lack(lack: Any) -> str:
    return f"without {lack.signal}: {lack.unlocks}"


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "name": known.kind,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": f"{known.meaning} {known.rule}"},
        "help": {"text": " ".join([known.harm, *known.steps])},
        "defaultConfiguration": {"level": known.level},
        "properties": {"area": known.area},
    }


def _result(
    one: Finding, rules: list[str], places: dict[str, tuple[str, int, int]]
) -> dict[str, Any]:
    numbers = "; ".join(shown(item) for item in one.evidence)
    location: dict[str, Any] = {
        "logicalLocations": [
            {"name": loop, "fullyQualifiedName": f"{one.scope or 'fleet'}/{loop}", "kind": "member"}
            for loop in one.loops or ("fleet",)
        ]
    }
    found = next((places[loop] for loop in one.loops if loop in places), None)
    if found is not None:
        file, line, column = found
        location["physicalLocation"] = {
            "artifactLocation": {"uri": file.replace("\\", "/")},
            "region": {"startLine": line, "startColumn": column},
        }
    key = "\x1f".join((one.code, one.scope, *one.loops))
    return {
        "ruleId": one.code,
        "ruleIndex": rules.index(one.code),
        "level": level_of(one),
        "message": {"text": f"{one.summary or one.kind}. {numbers}. Next: {one.next_step}"},
        "locations": [location],
        "partialFingerprints": {"finding/v1": sha256(key.encode()).hexdigest()},
        "rank": round(100.0 * one.confidence, 1),
        "properties": {
            "confidence": one.confidence,
            "lead_s": one.lead_s,
            "evidence": [msgspec.structs.asdict(item) for item in one.evidence],
        },
    }


def _places(report: Report) -> dict[str, tuple[str, int, int]]:
    """Loop -> file, line, column of its declaration, where it has one."""
    found = {}
    for member in report.graph.members:
        for seen in member.seen:
            match = _PLACE.match(seen)
            if match:
                found[member.name] = (match["file"], int(match["line"]), int(match["column"] or 1))
    return found
