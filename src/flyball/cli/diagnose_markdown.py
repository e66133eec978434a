"""How are findings told in Markdown, for a pull request or an incident's page?"""

import re

from flyball.cli.diagnose_output import Report, lacking, shown
from flyball.diagnosis.codes.codes import CODES, level_of
from flyball.diagnosis.finding import Finding

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_ORDER = ("error", "warning", "note")


def as_markdown(report: Report) -> str:
    """A table of all findings, then each with its numbers, then what was lacking."""
    kept = sorted(report.judged.kept, key=lambda one: (_ORDER.index(level_of(one)), one.code))
    lines = ["# Diagnosis", ""]
    if kept:
        lines += ["| level | code | what | loops | confidence |", "|---|---|---|---|---|"]
        lines += [_row(one) for one in kept]
    else:
        lines.append("Nothing was found.")
    for one in kept:
        lines += ["", *_section(one)]
    if report.judged.aside:
        lines += ["", "## Put aside", ""]
        lines += [
            f"- {one.finding.code} {plain(one.finding.summary)}: {plain(one.by.reason)}"
            for one in report.judged.aside
        ]
    if report.lacks:
        lines += ["", "## Not judged", ""]
        lines += [f"- {plain(line)}" for line in lacking(report.lacks)]
    return "\n".join(lines)


def _row(one: Finding) -> str:
    loops = ", ".join(map(plain, one.loops)) or "-"
    what = plain(one.summary or CODES[one.code].title)
    return f"| {level_of(one)} | {one.code} | {what} | {loops} | {one.confidence:.0%} |"


def _section(one: Finding) -> list[str]:
    known = CODES[one.code]
    where = f" ({plain(one.scope)})" if one.scope else ""
    lines = [f"## {one.code}: {plain(known.title)}{where}", "", plain(one.summary), ""]
    lines += [f"- {plain(shown(item))}" for item in one.evidence]
    if one.lead_s is not None:
        lines.append(f"- time until users are harmed: {one.lead_s / 60:.0f} min")
    lines += ["", f"If nothing is done: {plain(known.harm)}", ""]
    return [*lines, "```text", one.next_step.replace("`", "'"), "```"]


def plain(text: str) -> str:
    """Text in which nothing is markup."""
    return _SPECIAL.sub(r"\\\1", text.replace("\n", " "))
