"""What became of the same traffic in two fleets, and when?"""

from collections.abc import Sequence

from flyball.serve.load.report import Answer, Report

_BARS = " ▁▂▃▄▅▆▇█"
BUCKET_S = 1.0


def contrast(
    governed: Report, by_governor: Sequence[Answer], other: Report, by_others: Sequence[Answer]
) -> str:
    """Plain text: a row per figure, a column per fleet, and a bar per second of each."""
    rows = [
        ("", "governed", "independent loops"),
        *_figures(governed, other),
        ("share in time", *(f"{_share(report):.1%}" for report in (governed, other))),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["", "The same traffic, side by side"]
    for name, ours, theirs in rows:
        cells = f"  {name.ljust(widths[0])}  {ours.rjust(widths[1])}  {theirs.rjust(widths[2])}"
        lines.append(cells.rstrip())
    lines.append("  in time, second by second (full = all that were due then)")
    lines.append(f"    governed     {timeline(by_governor)}")
    lines.append(f"    independent  {timeline(by_others)}")
    lines.append(
        "  independent loops: the same gateway, placing by least request and refusing nothing; "
        "clients with openai-python's retries in front of both"
    )
    return "\n".join(lines)


def _figures(governed: Report, other: Report) -> list[tuple[str, str, str]]:
    def row(name: str, take: str) -> tuple[str, str, str]:
        return (name, f"{getattr(governed.total, take):,}", f"{getattr(other.total, take):,}")

    refused = [sum(report.total.refused.values()) for report in (governed, other)]
    failed = [sum(report.total.failed.values()) for report in (governed, other)]
    late = [report.total.answered - report.total.in_time for report in (governed, other)]
    return [
        row("sent", "sent"),
        row("answered in time", "in_time"),
        ("answered late", f"{late[0]:,}", f"{late[1]:,}"),
        ("refused early, with a reason", f"{refused[0]:,}", f"{refused[1]:,}"),
        ("given up or cut", f"{failed[0]:,}", f"{failed[1]:,}"),
        row("retries", "retries"),
        row("tokens answered", "output_tokens"),
    ]


def _share(report: Report) -> float:
    return report.total.goodput_ratio


def timeline(answers: Sequence[Answer]) -> str:
    """A bar per second that requests were due in: the share of them answered in time."""
    due: dict[int, int] = {}
    good: dict[int, int] = {}
    for answer in answers:
        second = int(answer.due_s / BUCKET_S)
        due[second] = due.get(second, 0) + 1
        good[second] = good.get(second, 0) + answer.in_time
    return "".join(
        _BARS[round(8 * good[second] / due[second])] if second in due else " "
        for second in range(max(due, default=-1) + 1)
    )
