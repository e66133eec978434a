"""How does a load report look to a person at a terminal?"""

from flyball.serve.load.report import LAG_S_MAX, ClassReport, Report
from flyball.units import MS_PER_S, Seconds

_HEADINGS = (
    "class", "sent", "answered", "refused", "failed", "in time", "good/s", "tok/s",
    "TTFT p50", "p90", "p95", "p99 ms", "TPOT p50", "p90", "p95", "p99 ms",
    "E2E p50", "p90", "p95", "p99 s",
)  # fmt: skip


def render(report: Report) -> str:
    """Plain text: a row per class and the total, what was refused or failed and why, then notes."""
    shown = report.classes if len(report.classes) > 1 else []
    grid = [list(_HEADINGS), *(_cells(one) for one in (*shown, report.total))]
    widths = [max(len(row[i]) for row in grid) for i in range(len(_HEADINGS))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in grid]
    for one in shown or (report.total,):
        for words, counts in (("refused", one.refused), ("failed", one.failed)):
            said = ", ".join(f"{code} {count:,}" for code, count in counts.items())
            lines += [f"{one.name}: {words}: {said}"] if said else []
    lines += ["", *_closing(report)]
    return "\n".join(lines)


def _closing(report: Report) -> list[str]:
    total, lag = report.total, report.lag
    lines = [
        f"{total.sent:,} requests in {report.duration_s:,.1f} s to {report.url} over "
        f"{report.connections:,} connections; generator lag p50 {_ms(lag.p50_s)}, "
        f"p99 {_ms(lag.p99_s)}, max {_ms(report.lag_s_max)} ms"
    ]
    if total.cached_tokens:
        share = total.cached_tokens / max(total.input_tokens, 1)
        lines.append(f"prefix cache: {share:.1%} of {total.input_tokens:,} input tokens")
    if total.retries:
        lines.append(f"{total.retries:,} retries, counted inside the latency of their request")
    if report.interrupted:
        lines.append(f"interrupted: {total.stopped:,} requests under way were given up")
    if not report.open_loop:
        lines.append(
            f"NOT OPEN LOOP: sends were late by more than {LAG_S_MAX * MS_PER_S:.0f} ms at p99. "
            "The load was gentler than the trace: lower --speed, or raise --concurrency-max."
        )
    if report.log_check is not None:
        lines.append("record: " + ", ".join(f"{k} {v:,}" for k, v in report.log_check.items()))
    return lines + report.notes


def _cells(one: ClassReport) -> list[str]:
    cells = [one.name, f"{one.sent:,}", f"{one.answered:,}", f"{sum(one.refused.values()):,}"]
    cells += [f"{sum(one.failed.values()):,}", f"{one.goodput_ratio:.1%}"]
    cells += [f"{one.goodput_rps:,.2f}", f"{one.output_tokens_per_s:,.0f}"]
    for part in (one.ttft, one.tpot):
        cells += [_ms(value) for value in (part.p50_s, part.p90_s, part.p95_s, part.p99_s)]
    e2e = one.e2e
    values = (e2e.p50_s, e2e.p90_s, e2e.p95_s, e2e.p99_s)
    return cells + ["-" if value is None else f"{value:.2f}" for value in values]


def _padded(row: list[str], widths: list[int]) -> list[str]:
    return [row[0].ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
    ]


def _ms(value_s: Seconds | None) -> str:
    return "-" if value_s is None else f"{value_s * MS_PER_S:,.1f}"
