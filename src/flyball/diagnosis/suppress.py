"""Which findings has somebody put aside, for which reason and until when?"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from flyball.diagnosis.finding import Finding
from flyball.units import Seconds


class Suppression(Struct, frozen=True, kw_only=True):
    """Findings of `code` that name all of `loops` (() = any) in `scope` ("" = any) are put aside
    until `until` (Unix time)."""

    code: str
    until: Seconds
    reason: str
    loops: tuple[str, ...] = ()
    scope: str = ""

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is one of those meant, whatever the time."""
        return (
            finding.code == self.code
            and set(self.loops) <= set(finding.loops)
            and self.scope in ("", finding.scope)
        )


class Aside(Struct, frozen=True):
    """One finding that is put aside, and by what."""

    finding: Finding
    by: Suppression


class Judged(Struct, frozen=True, kw_only=True):
    """`kept` stand; `expired` no longer put anything aside; `idle` are in force and meet none."""

    kept: tuple[Finding, ...]
    aside: tuple[Aside, ...]
    expired: tuple[Suppression, ...]
    idle: tuple[Suppression, ...]


def judge(findings: Iterable[Finding], suppressions: Sequence[Suppression], now: Seconds) -> Judged:
    """Part the findings into those that stand and those put aside at `now` (Unix time)."""
    live = [one for one in suppressions if now < one.until]
    kept: list[Finding] = []
    aside: list[Aside] = []
    for one in findings:
        by = next((rule for rule in live if rule.covers(one)), None)
        if by is None:
            kept.append(one)
        else:
            aside.append(Aside(one, by))
    used = [one.by for one in aside]
    return Judged(
        kept=tuple(kept),
        aside=tuple(aside),
        expired=tuple(one for one in suppressions if one.until <= now),
        idle=tuple(one for one in live if one not in used),
    )
