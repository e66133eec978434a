"""Is every refusal complete: a code, a party, a status that fits, and a next step?"""

import re
from string import Formatter

import pytest

from flyball.model.faults import FAULTS, Fault, Refusal

RETRIABLE = {408, 429, 502, 503, 504}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.code)
def test_a_fault_is_complete(fault: Fault) -> None:
    assert FAULTS[fault.code] is fault
    assert re.fullmatch(r"[a-z][a-z0-9_]*", fault.code)
    assert (fault.party in ("caller", "policy")) == (fault.status < 500 and fault.status != 429)
    assert fault.next_step.endswith(".")
    assert {part for _, part, _, _ in Formatter().parse(fault.message) if part} <= {"detail"}
    if fault.should_retry:
        assert fault.status in RETRIABLE


def test_a_refusal_reads_as_a_sentence_with_its_next_step() -> None:
    refusal = Refusal(code="model_not_found", detail="'x'")
    assert refusal.message == "The model 'x' is not served here. GET /v1/models lists the models."
    assert refusal.fault.status == 404


def test_an_unknown_code_is_a_defect() -> None:
    with pytest.raises(KeyError):
        _ = Refusal(code="nothing").fault
