"""How are findings told: to people, and to programs?

Each form is a function from a `Report` to text; a new form (SARIF, HTML) is one more of them.
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from flyball.diagnosis.codes.codes import CODES, level_of
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.signals import Signals
from flyball.diagnosis.suppress import Judged
from flyball.diagnosis.topology.graph import LoopGraph
from flyball.diagnosis.topology.preflight import Difference
from flyball.dialects.telemetry.needs import Lack


class Report(Struct, frozen=True, kw_only=True):
    """What was looked at and what was found; `change` = with `--what-if`, what that would do, the
    findings of `judged` then being those that appear. `signals` = what was recorded, `lacks` = what
    was not, and what it would unlock."""

    graph: LoopGraph
    judged: Judged
    change: Difference | None = None
    signals: Signals | None = None
    lacks: tuple[Lack, ...] = ()


def as_json(report: Report) -> str:
    """One object: findings with their level, loops and effects with where they are known from."""
    judged = report.judged
    change = report.change
    return msgspec.json.encode(
        {
            "findings": [{"level": level_of(one), **_plain(one)} for one in judged.kept],
            "suppressed": [
                {"finding": _plain(one.finding), "reason": one.by.reason, "until": one.by.until}
                for one in judged.aside
            ],
            "expired": judged.expired,
            "idle": judged.idle,
            "gone": change.gone if change else [],
            "kept": change.kept if change else [],
            "worse": change.worse if change else [],
            "graph": report.graph,
            "lacking": report.lacks,
        },
        enc_hook=float,  # numpy's numbers
    ).decode()


def _plain(one: Finding) -> dict[str, object]:
    return msgspec.structs.asdict(one)


def as_text(report: Report) -> str:
    """For a terminal: the gravest first, each with its numbers and the next step."""
    judged, change = report.judged, report.change
    order = {"error": 0, "warning": 1, "note": 2}
    kept = sorted(judged.kept, key=lambda one: (order[level_of(one)], one.code, one.loops))
    lines = [line for one in kept for line in (*_lines(one), "")]
    if change is not None:
        lines += [f"gone: {one.code} {one.summary}" for one in change.gone]
        lines += [
            f"{'worse' if one in change.worse else 'stays'}: {one.code} {one.summary}"
            for one in change.kept
        ]
    lines += [
        f"put aside: {one.finding.code} {one.finding.summary} ({one.by.reason})"
        for one in judged.aside
    ]
    lines += [
        f"expired: the suppression of {one.code} ({one.reason}) is over" for one in judged.expired
    ]
    lines += [
        f"idle: the suppression of {one.code} ({one.reason}) met nothing" for one in judged.idle
    ]
    lines += lacking(report.lacks)
    return "\n".join([*lines, _tally(report)])


def lacking(lacks: Sequence[Lack]) -> list[str]:
    """What was not told: a line each, of what would be unlocked and where it may come from."""
    return [
        f"without {one.signal}: {one.unlocks}{f' (from {one.source})' if one.source else ''}"
        for one in lacks
    ]


def _lines(one: Finding) -> list[str]:
    entry = CODES.get(one.code)
    title = entry.title if entry else one.kind
    where = f" [{one.scope}]" if one.scope else ""
    head = f"{one.code} {level_of(one)}: {one.summary or title}{where}"
    sure = f"  {one.kind}; confidence {one.confidence:.0%}; loops {', '.join(one.loops) or 'none'}"
    return [head, sure, *(f"  - {shown(item)}" for item in one.evidence), f"  -> {one.next_step}"]


def shown(item: Evidence) -> str:
    """One number with its unit, interval and limit."""
    text = f"{item.what}: {item.value:.4g}{' ' + item.unit if item.unit else ''}"
    if item.low is not None and item.high is not None:
        text += f" [{item.low:.4g}, {item.high:.4g}]"
    return text if item.limit is None else f"{text} (limit {item.limit:.4g})"


def _tally(report: Report) -> str:
    levels = [level_of(one) for one in report.judged.kept]
    counts = ", ".join(
        f"{levels.count(name)} {name}{'' if levels.count(name) == 1 else 's'}"
        for name in ("error", "warning", "note")
    )
    graph = report.graph
    acting = sum(one.is_acting for one in graph.members)
    what = "new findings" if report.change else "findings"
    return f"{what}: {counts} ({len(graph.members)} loops, {acting} of them acting)"


FORMS: dict[str, Callable[[Report], str]] = {"text": as_text, "json": as_json}
