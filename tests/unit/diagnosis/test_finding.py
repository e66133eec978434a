"""A finding has numbers, or is none."""

import pytest

from flyball.diagnosis.finding import Evidence, Finding


def finding(evidence: tuple[Evidence, ...], confidence: float = 0.9) -> Finding:
    return Finding(
        code="FB-101",
        kind="sign",
        area="topology",
        at=0.0,
        loops=("cost",),
        actuators=("context",),
        evidence=evidence,
        confidence=confidence,
        next_step="flyball hold cost",
    )


def test_no_finding_without_numbers():
    with pytest.raises(ValueError, match="FB-101"):
        finding(())


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_confidence_is_a_chance(confidence: float):
    with pytest.raises(ValueError, match="chance"):
        finding((Evidence(what="gain", value=1.0),), confidence)


def test_a_number_is_enough():
    assert finding((Evidence(what="gain", value=1.0),)).evidence[0].value == 1.0
