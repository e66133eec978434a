"""Which page does each finding code have, and which page lists them?"""

from flyball.diagnosis.codes.code import Code
from flyball.diagnosis.codes.codes import CODES

AREAS = {
    "topology": "Topology: loops that are in each other's way",
    "alignment": "Alignment: objectives that do not go together",
    "stress": "Stress: behaviour that depends on where a request runs",
    "drift": "Drift: a layer that is no longer as it was accepted",
    "margin": "Margins: how near the fleet is to where its loops lose it",
}


def finding_pages(made: str) -> dict[str, str]:
    """File name -> text, `made` being the line that says how the pages come about."""
    pages = {f"{code}.md": _page(entry, made) for code, entry in CODES.items()}
    return pages | {"README.md": _list(made)}


def _page(entry: Code, made: str) -> str:
    lines = [
        f"# {entry.code}: {entry.title}",
        made,
        "",
        f"{AREAS[entry.area].split(':')[0]} · kind `{entry.kind}` · {entry.level}",
        "",
        entry.meaning,
        "",
        "## When it is said",
        "",
        entry.rule,
        "",
        "The evidence holds the numbers, their 95 % intervals where they are measured, and the",
        "limits that they are held against. What lacks a number that would settle it has a",
        "confidence below 70 % and is told one level lower.",
        "",
        "## What follows if nothing is done",
        "",
        entry.harm,
        "",
        "## What to do",
        "",
        *(f"{number}. {step}" for number, step in enumerate(entry.steps, 1)),
        "",
        "Next command:",
        "",
        "```text",
        _spelled(entry.next_step),
        "```",
        "",
        "To put it aside for a time: `flyball diagnose --suppress FILE` with",
        "",
        "```yml",
        "version: v1",
        "suppress:",
        f"  - {{code: {entry.code}, until: 2027-01-31, reason: why it may stand until then}}",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _spelled(step: str) -> str:
    return step.format(loop="LOOP", other="OTHER", actuator="ACTUATOR")


def _list(made: str) -> str:
    lines = [
        "# Findings",
        made,
        "",
        "Source: `src/flyball/diagnosis/codes/`. What `flyball diagnose` and the gateway tell.",
    ]
    for area, title in AREAS.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| code | kind | level | what |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| [{code}]({code}.md) | {entry.kind} | {entry.level} | {entry.title} |"
            for code, entry in CODES.items()
            if entry.area == area
        ]
    return "\n".join(lines) + "\n"
