"""Which loops of the fleet are in each other's way, and what would a change do about it?"""

import json
import sys
import time
from pathlib import Path

import click

from flyball.cli import diagnose_input as sources
from flyball.cli.diagnose_files import load_change, load_loops, load_suppressions
from flyball.cli.diagnose_output import FORMS, Report
from flyball.cli.diagnose_shape import FILES, schema
from flyball.diagnosis.code import LEVELS
from flyball.diagnosis.codes import level_of
from flyball.diagnosis.finding import Finding
from flyball.diagnosis.graph import LoopGraph
from flyball.diagnosis.preflight import changed, difference
from flyball.diagnosis.suppress import judge
from flyball.diagnosis.topology import topology

FILE = click.Path(dir_okay=False)
PLACE = click.Path(path_type=Path)


@click.command("diagnose")
@click.option(
    "--fleet", type=FILE, help="Fleet file: the loops that it lets run, and foreign ones."
)
@click.option("--loops", "loop_files", type=FILE, multiple=True, help="Loops file; also several.")
@click.option("--log", "folder", type=PLACE, help="The ledger's folder: who moved which set-point.")
@click.option("--audit", type=PLACE, help="Kubernetes audit log, JSON lines (also .gz).")
@click.option(
    "--objects", type=PLACE, help="`kubectl get … -o json --show-managed-fields`: owners of fields."
)
@click.option("--probe", type=PLACE, help="CSV of a randomised probe: arm.<actuator>@<step>, …")
@click.option(
    "--block-s",
    type=click.FloatRange(min=0.0, min_open=True),
    default=60.0,
    show_default=True,
    help="Length of one block of the probe, s.",
)
@click.option("--what-if", type=FILE, help="A change: show which findings it would bring.")
@click.option("--suppress", type=FILE, help="Findings put aside, each with a reason and a day.")
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="warning",
    show_default=True,
    help="From which level on a finding makes the exit code 1.",
)
@click.option("--schema", "shape", type=click.Choice(sorted(FILES)), help="Print a file's schema.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(list(FORMS)),
    default="text",
    show_default=True,
    help="Form of the result.",
)
def command(
    fleet: str | None,
    loop_files: tuple[str, ...],
    folder: Path | None,
    audit: Path | None,
    objects: Path | None,
    probe: Path | None,
    block_s: float,
    what_if: str | None,
    suppress: str | None,
    level: str,
    shape: str | None,
    output: str,
) -> None:
    """Find loops that are in conflict, before users feel it.

    What is known is joined from all sources given. Each code has a page in
    docs/reference/findings. Exit codes: 0 nothing found, 1 findings (with --what-if: new ones) of
    --level or above, 2 a file could not be used.
    """
    if shape:
        click.echo(json.dumps(schema(shape), indent=1))
        return
    parts, workloads = [], {}
    if fleet:
        told, workloads = sources.fleet(fleet)
        parts.append(told)
    parts += [sources.Told(graph=load_loops(path)) for path in loop_files]
    if folder:
        parts.append(sources.ledger(folder))
    if audit:
        parts.append(sources.audit(audit, workloads, _say))
    if objects:
        parts.append(sources.objects(objects))
    if probe:
        parts.append(sources.probe(probe, block_s, _say))
    if not parts:
        raise click.UsageError(
            "nothing to look at: give --fleet, --loops, --log, --audit, --objects or --probe."
        )
    whole = sources.joined(parts)
    report = _report(whole.graph, whole.findings, what_if, suppress)
    click.echo(FORMS[output](report))
    grave = LEVELS[LEVELS.index(level) :]
    sys.exit(1 if any(level_of(one) in grave for one in report.judged.kept) else 0)


def _report(
    graph: LoopGraph, proven: tuple[Finding, ...], what_if: str | None, suppress: str | None
) -> Report:
    now = time.time()
    rules = load_suppressions(suppress) if suppress else []
    before = [*topology(graph, now), *proven]
    if what_if is None:
        return Report(graph=graph, judged=judge(before, rules, now))
    after_graph = changed(graph, load_change(what_if, graph))
    change = difference(before, [*topology(after_graph, now), *proven])
    return Report(graph=after_graph, judged=judge(change.new, rules, now), change=change)


def _say(text: str) -> None:
    click.echo(text, err=True)
