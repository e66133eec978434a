"""What was found: which kind of trouble, between which loops, on which evidence, and what next?

A finding without numbers is none: `evidence` may not be empty.
"""

from typing import Literal

from msgspec import Struct

from flyball.units import Ratio, Seconds, Usd

Area = Literal["topology", "alignment", "stress", "drift", "margin"]


class Evidence(Struct, frozen=True, kw_only=True):
    """One measured number: what, how much, in which unit, between which bounds, against which
    limit; `low` and `high` are a 95 % interval unless `what` says otherwise."""

    what: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    limit: float | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """One finding. `code` = FB-nnn (see `codes.py`), `kind` = its conflict or mechanism.

    `loops` are ordered, the one to act on first. `lead_s` = expected time until users are harmed;
    None = not known, 0 = they are now. `cost_usd_per_h` = what it costs while it lasts.
    `next_step` = the command to type next. `at` = Unix time of the evidence's end.
    """

    code: str
    kind: str
    area: Area
    at: Seconds
    loops: tuple[str, ...]
    actuators: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    confidence: Ratio
    next_step: str
    scope: str = ""
    summary: str = ""
    lead_s: Seconds | None = None
    cost_usd_per_h: Usd | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a finding without numbers, or a confidence outside [0, 1]."""
        if not self.evidence:
            raise ValueError(f"{self.code}: a finding needs at least one number")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"{self.code}: a confidence of {self.confidence} is no chance")
