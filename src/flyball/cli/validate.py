"""How near does the twin come to a set of measurements? (`flyball validate DIR`)"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from flyball.cli.benchfiles import CannotRead, read_table, start_profile
from flyball.dialects import benchlog
from flyball.sim.validate.capacity import judge_capacity
from flyball.sim.validate.figures import Line, Report, lines
from flyball.sim.validate.points import judge_points
from flyball.sim.validate.power import judge_power
from flyball.sim.validate.requests import judge_requests
from flyball.sim.validate.stages import judge_stages

LAYOUTS = ("auto", "per-request", "stages", "points", "mlperf", "power")
Tell = Callable[[str], None]


@click.command("validate")
@click.argument("dataset", type=click.Path(path_type=Path, exists=True))
@click.option("--layout", type=click.Choice(LAYOUTS), default="auto", show_default=True)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="[RUN=]NAME",
    help="per-request: profile to start from, of the catalogue, a JSON file, or "
    "ACCELERATOR:MODEL:COUNT:PRECISION:ENGINE; by run if several.",
)
@click.option("--seqs-max", type=click.IntRange(1), help="per-request: the engine's batch limit.")
@click.option("--step-tokens-max", type=click.IntRange(1), help="per-request: tokens per step.")
@click.option("--summary", is_flag=True, help="Only the lines over all groups.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "markdown"]), default="text")
def command(
    dataset: Path,
    layout: str,
    profiles: tuple[str, ...],
    seqs_max: int | None,
    step_tokens_max: int | None,
    summary: bool,
    output: str,
) -> None:
    """Judge the twin on DATASET (a folder or a file): median and worst error of every row.

    Nothing that is judged has taken part in a fit; the split is printed, and whether the median
    meets the target. The layouts and their columns stand in docs/reference/validate.md. Exit code
    2: the data could not be used.
    """
    try:
        file, rows = read_table(dataset)
        kind = benchlog.kind_of(rows[0]) if layout == "auto" else layout
        click.echo(f"{file}: {len(rows):,} rows, layout {kind}", err=True)
        starts = {
            name.strip(): start_profile(text, seqs_max, step_tokens_max)
            for name, text in (_run_and_name(said) for said in profiles)
        }
        report = _report(kind, rows, file.name, starts, lambda text: click.echo(text, err=True))
    except (CannotRead, ValueError) as error:
        click.echo(f"flyball validate: {error}", err=True)
        sys.exit(2)
    if not report.figures:
        click.echo("flyball validate: no row could be judged: " + "; ".join(report.notes), err=True)
        sys.exit(2)
    _tell(report, summary, output)


def _run_and_name(said: str) -> tuple[str, str]:
    run, equals, name = said.rpartition("=")
    return (run, name) if equals else ("", said)


def _report(
    kind: str, rows: Sequence[benchlog.Row], place: str, starts: dict[str, Any], tell: Tell
) -> Report:
    if kind == "per-request":
        if not starts:
            raise CannotRead("a per-request log needs --profile: what to start the fit from")
        return judge_requests(benchlog.request_rows(rows, place), starts, tell)
    if kind == "stages":
        return judge_stages(benchlog.stage_rows(rows, place), tell)
    if kind == "points":
        return judge_points(benchlog.point_rows(rows, place), tell)
    if kind == "mlperf":
        return judge_capacity(benchlog.capacity_rows(rows, place), tell)
    return judge_power(benchlog.power_rows(rows, place), tell)


def _tell(report: Report, summary: bool, output: str) -> None:
    shown = lines(report.figures, report.layout)
    if summary and any(line.group == "all" for line in shown):
        shown = [line for line in shown if line.group == "all"]
    if output == "json":
        body = {
            "layout": report.layout,
            "split": report.split,
            "lines": [line._asdict() | {"verdict": line.verdict} for line in shown],
            "notes": report.notes,
        }
        click.echo(json.dumps(body, indent=1))
        return
    click.echo(f"Split: {report.split}.\n" if output == "markdown" else f"split: {report.split}")
    click.echo("\n".join(_table(shown, output)))
    for note in report.notes:
        click.echo(f"- {note}" if output == "markdown" else f"note: {note}")


def _table(shown: Sequence[Line], output: str) -> list[str]:
    head = ("group", "split", "figure", "rows", "median", "p90", "worst", "bias", "target")
    cells = [
        (
            line.group, line.split, line.figure, f"{line.rows}", f"{line.median:.1%}",
            f"{line.p90:.1%}", f"{line.worst:.1%}", f"{line.bias:+.1%}", line.verdict,
        )
        for line in shown
    ]  # fmt: skip
    if output == "markdown":
        body = ["| " + " | ".join(row) + " |" for row in cells]
        return ["| " + " | ".join(head) + " |", "|---|---|---|--:|--:|--:|--:|--:|---|", *body, ""]
    widths = [max(len(row[i]) for row in (head, *cells)) for i in range(len(head))]
    return [
        "  ".join(
            text.ljust(width) if i < 3 or i == len(row) - 1 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *cells)
    ]
