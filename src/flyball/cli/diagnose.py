"""What is wrong, or about to go wrong, between the loops of a fleet, and what would a change do?"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from flyball.cli import diagnose_input as sources
from flyball.cli import diagnose_sources as telemetry
from flyball.cli.diagnose_detect import Found, of_runs, of_told
from flyball.cli.diagnose_files import load_change, load_loops, load_suppressions
from flyball.cli.diagnose_html import as_html
from flyball.cli.diagnose_live import told
from flyball.cli.diagnose_markdown import as_markdown
from flyball.cli.diagnose_output import FORMS as SHORT_FORMS
from flyball.cli.diagnose_output import Report
from flyball.cli.diagnose_rules import as_metrics, as_rules
from flyball.cli.diagnose_sarif import as_sarif
from flyball.cli.diagnose_shape import FILES, schema
from flyball.cli.diagnose_sources import load_map
from flyball.cli.file_shape import CannotUse
from flyball.diagnosis.codes.code import LEVELS
from flyball.diagnosis.codes.codes import level_of
from flyball.diagnosis.finding import Finding
from flyball.diagnosis.suppress import judge
from flyball.diagnosis.topology.graph import LoopGraph
from flyball.diagnosis.topology.preflight import changed, difference
from flyball.diagnosis.topology.topology import topology
from flyball.dialects.telemetry.csvmap import MapFile
from flyball.units import Seconds

FILE = click.Path(dir_okay=False)
PLACE = click.Path(path_type=Path)
FORMS: dict[str, Callable[[Report], str]] = SHORT_FORMS | {
    "sarif": as_sarif,
    "markdown": as_markdown,
    "html": as_html,
    "metrics": as_metrics,
}


class Asked(Struct, frozen=True, kw_only=True):
    """The options, as given."""

    fleet: str | None
    loop_files: tuple[str, ...]
    folder: Path | None
    audit: Path | None
    objects: Path | None
    probe: Path | None
    block_s: Seconds
    otlp: tuple[Path, ...]
    dump: tuple[Path, ...]
    prometheus: str | None
    hours: float
    token_file: Path | None
    live: str | None
    table: Path | None
    map_file: str | None
    step_s: Seconds
    baseline: Path | None
    current: Path | None
    what_if: str | None
    suppress: str | None
    level: str
    shape: str | None
    output: str


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
@click.option("--otlp", type=PLACE, multiple=True, help="OTLP (JSON, protobuf, .gz).")
@click.option(
    "--dump", type=PLACE, multiple=True, help="Prometheus' samples: a dump, or a folder of pages."
)
@click.option("--prometheus", metavar="URL", help="A Prometheus to ask over HTTP.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0.0, min_open=True, max=24.0 * 90),
    default=6.0,
    show_default=True,
    help="How far back to ask it.",
)
@click.option("--token-file", type=PLACE, help="Holds its bearer token.")
@click.option("--live", metavar="URL", help="A running gateway: what its own diagnosis found.")
@click.option("--csv", "table", type=PLACE, help="CSV or Parquet of signals, calls or canaries.")
@click.option("--map", "map_file", type=FILE, help="What columns, pools and constants mean.")
@click.option(
    "--step",
    "step_s",
    type=click.FloatRange(min=1.0, max=3600.0),
    default=10.0,
    show_default=True,
    help="Length of a row of signals, s.",
)
@click.option("--baseline", type=PLACE, help="An accepted run: a ledger, OTLP or a table.")
@click.option("--current", type=PLACE, help="The run to compare with it.")
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
    type=click.Choice([*FORMS, "rules"]),
    default="text",
    show_default=True,
    help="Form of the result.",
)
def command(**words: Any) -> None:
    """Find loops that are in conflict, margins that shrink and behaviour that drifts.

    What is known is joined from all sources given; what a detector lacks is named. Each code has a
    page in docs/reference/findings. Exit codes: 0 nothing found, 1 findings (with --what-if: new
    ones) of --level or above, 2 a file could not be used.
    """
    asked = Asked(**words)
    if bool(asked.baseline) != bool(asked.current):
        raise click.UsageError("--baseline and --current go together: two runs are compared.")
    if asked.shape:
        click.echo(json.dumps(schema(asked.shape), indent=1))
        return
    if asked.output == "rules":
        click.echo(as_rules())
        return
    mapping = load_map(asked.map_file) if asked.map_file else MapFile(version="v1")
    how = telemetry.Reading(step_s=asked.step_s, mapping=mapping)
    parts = _parts(asked, how)
    if not parts and not asked.baseline:
        raise click.UsageError(
            "nothing to look at: give --fleet, --loops, --log, --audit, --objects, --probe, "
            "--otlp, --dump, --prometheus, --live, --csv, or --baseline with --current."
        )
    whole = sources.joined(parts)
    signals = telemetry.whole(whole, mapping)
    found = of_told(whole, signals, _say)
    proven = (*whole.findings, *found.findings)
    lacks = found.lacks
    if asked.baseline and asked.current:
        runs = _compared(asked.baseline, asked.current, how)
        proven, lacks = (*proven, *runs.findings), (*lacks, *runs.lacks)
    report = _report(whole.graph, proven, asked)
    report = msgspec.structs.replace(report, signals=signals, lacks=lacks)
    click.echo(FORMS[asked.output](report))
    grave = LEVELS[LEVELS.index(asked.level) :]
    sys.exit(1 if any(level_of(one) in grave for one in report.judged.kept) else 0)


def _parts(asked: "Asked", how: telemetry.Reading) -> list[sources.Told]:
    """What each source that was named tells."""
    parts: list[sources.Told] = []
    workloads: dict[str, str] = {}
    if asked.fleet:
        declared, workloads = sources.fleet(asked.fleet)
        parts.append(declared)
    parts += [sources.Told(graph=load_loops(path)) for path in asked.loop_files]
    if asked.folder:
        parts += [sources.ledger(asked.folder), telemetry.records(asked.folder, how, _say)]
    if asked.audit:
        parts.append(sources.audit(asked.audit, workloads, _say))
    if asked.objects:
        parts.append(sources.objects(asked.objects))
    if asked.probe:
        parts.append(sources.probe(asked.probe, asked.block_s, _say))
    parts += [telemetry.spans(path, how, _say) for path in asked.otlp]
    parts += [telemetry.dump(path, how, _say) for path in asked.dump]
    if asked.prometheus:
        token = sources.text_of(asked.token_file).strip() if asked.token_file else ""
        end = time.time()
        begin = end - asked.hours * 3600.0
        parts.append(telemetry.live(asked.prometheus, begin, end, token, how, _say))
    if asked.live:
        parts.append(told(asked.live, _say))
    if asked.table:
        parts.append(telemetry.table(asked.table, how, _say))
    return parts


def _compared(baseline: Path, current: Path, how: telemetry.Reading) -> Found:
    runs = []
    for place in (baseline, current):
        calls = telemetry.run(place, how, _say).calls
        if not calls:
            raise CannotUse(f"{place}: no calls in it, so it has no paths to compare")
        runs.append(calls[0])
    return of_runs(runs[0], runs[1], _say)


def _report(graph: LoopGraph, proven: tuple[Finding, ...], asked: "Asked") -> Report:
    now = time.time()
    rules = load_suppressions(asked.suppress) if asked.suppress else []
    before = [*topology(graph, now), *proven]
    if asked.what_if is None:
        return Report(graph=graph, judged=judge(before, rules, now))
    after_graph = changed(graph, load_change(asked.what_if, graph))
    change = difference(before, [*topology(after_graph, now), *proven])
    return Report(graph=after_graph, judged=judge(change.new, rules, now), change=change)


def _say(text: str) -> None:
    click.echo(text, err=True)
