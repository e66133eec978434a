"""What does each finding code mean, and what does one do about it?

One table for all areas: FB-1xx topology, FB-2xx alignment, FB-3xx stress, FB-4xx drift, FB-5xx
margins. The page of each code under docs/reference/findings is made of its entry.
"""

from collections.abc import Iterable

from flyball.diagnosis.codes.code import LEVELS, Code, Level
from flyball.diagnosis.codes.codes_alignment import ALIGNMENT
from flyball.diagnosis.codes.codes_drift import DRIFT
from flyball.diagnosis.codes.codes_margin import MARGIN
from flyball.diagnosis.codes.codes_stress import STRESS
from flyball.diagnosis.codes.codes_topology import TOPOLOGY
from flyball.diagnosis.finding import Evidence, Finding
from flyball.units import Seconds

CONFIDENCE_WHOLE = 0.7
_TABLES = (TOPOLOGY, ALIGNMENT, STRESS, DRIFT, MARGIN)
CODES: dict[str, Code] = {entry.code: entry for table in _TABLES for entry in table}


def finding(
    code: str,
    *,
    at: Seconds,
    loops: Iterable[str],
    actuators: Iterable[str],
    evidence: Iterable[Evidence],
    confidence: float,
    summary: str,
    scope: str = "",
) -> Finding:
    """A finding of that code, with the kind and the next step that the table names.

    KeyError for a code that is not in the table; ValueError without evidence.
    """
    entry = CODES[code]
    names, moved = tuple(loops), tuple(dict.fromkeys(actuators))
    step = entry.next_step.format(
        loop=names[0] if names else "all",
        other=names[1] if len(names) > 1 else "all",
        actuator=moved[0] if moved else "",
    )
    return Finding(
        code=code,
        kind=entry.kind,
        area=entry.area,
        at=at,
        loops=names,
        actuators=moved,
        evidence=tuple(evidence),
        confidence=confidence,
        next_step=step,
        scope=scope,
        summary=summary,
    )


def level_of(finding: Finding) -> Level:
    """How grave it is: one level less where the evidence lacks what would settle it.

    Codes that are not in the table are warnings."""
    entry = CODES.get(finding.code)
    place = LEVELS.index(entry.level if entry else "warning")
    return LEVELS[max(0, place - (finding.confidence < CONFIDENCE_WHOLE))]
