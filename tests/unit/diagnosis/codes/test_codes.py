"""Is every code whole and in its area, and are levels lowered where evidence is partial?"""

import re
import string
from pathlib import Path

import pytest

import flyball
from flyball.diagnosis.codes.code import LEVELS
from flyball.diagnosis.codes.codes import CODES, finding, level_of
from flyball.diagnosis.finding import Evidence, Finding

AREAS = {"1": "topology", "2": "alignment", "3": "stress", "4": "drift", "5": "margin"}
NUMBER = (Evidence(what="x", value=1.0),)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_whole(code: str) -> None:
    entry = CODES[code]
    assert entry.code == code and re.fullmatch(r"FB-\d{3}", code)
    assert entry.area == AREAS[code[3]] and entry.level in LEVELS
    assert all((entry.kind, entry.title, entry.meaning, entry.rule, entry.harm, entry.steps))
    assert not entry.title.endswith(".") and entry.meaning.endswith(".")
    holes = {name for _, name, _, _ in string.Formatter().parse(entry.next_step) if name}
    assert holes <= {"loop", "other", "actuator"}
    assert entry.next_step.startswith("flyball ")


def test_all_eight_kinds_of_conflict_have_a_code() -> None:
    kinds = {entry.kind for entry in CODES.values() if entry.area == "topology"}
    assert kinds == {
        "direct", "indirect", "implicit", "temporal", "sign", "saturation", "signal", "budget",
    }  # fmt: skip


def test_a_finding_takes_kind_and_next_step_from_the_table() -> None:
    made = finding(
        "FB-101", at=5.0, loops=("a", "b"), actuators=("u", "u"), evidence=NUMBER,
        confidence=0.9, summary="s",
    )  # fmt: skip
    assert (made.kind, made.area, made.actuators) == ("direct", "topology", ("u",))
    assert made.next_step == "flyball hold a"
    assert level_of(made) == "error"


def test_partial_evidence_is_told_one_level_lower() -> None:
    made = finding(
        "FB-105", at=0.0, loops=("a", "b"), actuators=(), evidence=NUMBER, confidence=0.6,
        summary="",
    )  # fmt: skip
    assert level_of(made) == "note"


def test_a_finding_without_numbers_or_of_no_code_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one number"):
        finding("FB-101", at=0.0, loops=(), actuators=(), evidence=(), confidence=1.0, summary="")
    with pytest.raises(KeyError):
        finding(
            "FB-999", at=0.0, loops=(), actuators=(), evidence=NUMBER, confidence=1.0, summary=""
        )


def test_codes_of_others_are_warnings() -> None:
    foreign = Finding(
        code="FB-998", kind="x", area="drift", at=0.0, loops=(), actuators=(), evidence=NUMBER,
        confidence=0.9, next_step="",
    )  # fmt: skip
    assert level_of(foreign) == "warning"


def test_every_code_that_is_told_anywhere_stands_in_the_table() -> None:
    """Whoever adds a finding adds its entry, and so its page."""
    source = Path(flyball.__file__).parent
    told = {
        code
        for file in source.rglob("*.py")
        for code in re.findall(r"\bFB-\d{3}\b", file.read_text())
    }
    assert told <= set(CODES), f"without an entry: {sorted(told - set(CODES))}"
