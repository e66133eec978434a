"""What may a fleet file say of the diagnosis of its own loops?"""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict

from flyball.governor.policy import Diagnosis

_DIAGNOSIS = Diagnosis()


class DiagnosisSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the loops are looked at, and what is done about what is found."""

    mode: Annotated[
        Literal["off", "observe", "advise", "enforce"],
        Meta(
            description="observe = record and show findings, advise = and tell the operator, "
            "enforce = and hold the loop that is named."
        ),
    ] = _DIAGNOSIS.mode
    interval_s: Annotated[float, Meta(ge=0.1, le=3600.0, description="Between two looks, s.")] = (
        _DIAGNOSIS.interval_s
    )
    learning_h: Annotated[
        float,
        Meta(
            ge=10.0,
            le=2160.0,
            description="Hours of demand from which drift learns what is usual.",
        ),
    ] = _DIAGNOSIS.learning_h


def build_diagnosis(section: DiagnosisSection) -> Diagnosis:
    """The core's own form."""
    return Diagnosis(**asdict(section))
