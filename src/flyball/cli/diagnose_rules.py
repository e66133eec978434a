"""How do findings reach Prometheus: as metrics, and as the rules that alert on them?

`metrics` is a page for node_exporter's textfile collector, rewritten by each run; `rules` is a rule
file that does not depend on what was found. Names follow prometheus.io/docs/practices/naming.
"""

from flyball.cli.diagnose_output import Report
from flyball.diagnosis.codes.code import LEVELS
from flyball.diagnosis.codes.codes import CODES, level_of
from flyball.diagnosis.finding import Finding

FINDING = "flyball_diagnosis_finding_confidence_ratio"
LEAD = "flyball_diagnosis_finding_lead_seconds"
COUNT = "flyball_diagnosis_findings"
AT = "flyball_diagnosis_timestamp_seconds"
LACKING = "flyball_diagnosis_signals_lacking"
ABOUT = {
    COUNT: "Findings that stand, by level.",
    LACKING: "Signals that detectors lacked.",
    AT: "When the newest evidence ended.",
    FINDING: "How sure each finding is, 0-1.",
    LEAD: "Expected time until users are harmed; 0 = they are.",
}
_LABELS = ("code", "kind", "level", "loops", "scope")
# How long a finding stands before somebody is woken, by level; notes wake nobody.
_FOR = {"error": "2m", "warning": "15m"}
_STALE_S = 1800


def as_metrics(report: Report) -> str:
    """The exposition format, text 0.0.4."""
    kept = report.judged.kept
    levels = [level_of(one) for one in kept]
    samples: dict[str, list[str]] = {
        COUNT: [f'{COUNT}{{level="{one}"}} {levels.count(one)}' for one in LEVELS],
        LACKING: [f"{LACKING} {len(report.lacks)}"],
        AT: [f"{AT} {max((one.at for one in kept), default=0.0):.3f}"] if kept else [],
        FINDING: [f"{FINDING}{key}{value}" for key, value in _unique(kept, "confidence")],
        LEAD: [f"{LEAD}{key}{value}" for key, value in _unique(kept, "lead_s")],
    }
    lines = []
    for name, rows in samples.items():
        if rows:
            lines += [f"# HELP {name} {ABOUT[name]}", f"# TYPE {name} gauge", *rows]
    return "\n".join(lines)


def _unique(kept: tuple[Finding, ...], field: str) -> list[tuple[str, str]]:
    """A series each; of several findings with equal labels the highest (soonest for a lead)."""
    found: dict[str, float] = {}
    for one in kept:
        value = getattr(one, field)
        if value is not None:
            key = _labels(one)
            better = min if field == "lead_s" else max
            found[key] = better(found.get(key, value), value)
    return [(key, f" {value:g}") for key, value in sorted(found.items())]


def _labels(one: Finding) -> str:
    values = (one.code, one.kind, level_of(one), ",".join(one.loops), one.scope)
    pairs = zip(_LABELS, values, strict=True)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def as_rules() -> str:
    """Alert rules: one per code that may wake somebody, one for a lead that runs out, and one for a
    diagnosis that no longer runs."""
    lines = [
        "# Made by `flyball diagnose -o rules`; the metrics are those of `-o metrics`.",
        "groups:",
        "  - name: flyball-diagnosis",
        "    rules:",
    ]
    for known in CODES.values():
        if known.level in _FOR:
            name = "".join(word.capitalize() for word in known.kind.replace("-", " ").split())
            lines += _rule(
                f"Flyball{known.code.replace('-', '')}{name}",
                f'max by (code, level, loops, scope) ({FINDING}{{code="{known.code}"}}) >= 0.7',
                _FOR[known.level],
                known.level,
                f"{known.title} ({{{{ $labels.loops }}}} {{{{ $labels.scope }}}})",
                f"{known.harm} First: {known.steps[0]}",
            )
    lines += _rule(
        "FlyballHarmSoon",
        f"min by (code, loops, scope) ({LEAD}) < 3600",
        "5m",
        "error",
        "Users will be harmed within the hour ({{ $labels.code }} {{ $labels.loops }})",
        "See `flyball diagnose`; `flyball hold` freezes a loop's set-points.",
    )
    lines += _rule(
        "FlyballDiagnosisStale",
        f"time() - max({AT}) > {_STALE_S}",
        "15m",
        "warning",
        "The diagnosis has seen nothing new for half an hour",
        "Is `flyball diagnose` still run, and its page still collected?",
    )
    return "\n".join(lines)


def _rule(
    name: str, expression: str, wait: str, severity: str, summary: str, description: str
) -> list[str]:
    return [
        f"      - alert: {name}",
        f"        expr: {_quoted(expression)}",
        f"        for: {wait}",
        "        labels:",
        f"          severity: {severity}",
        "        annotations:",
        f"          summary: {_quoted(summary)}",
        f"          description: {_quoted(description)}",
    ]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
