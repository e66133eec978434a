"""What happens in this scenario? (`flyball sim SCENARIO`)"""

import json
import sys
import time
from pathlib import Path

import click

from flyball.cli import sim_input, sim_output, sim_plot


@click.command("sim")
@click.argument("scenario", type=click.Path(dir_okay=False), required=False)
@click.option("--set", "changes", multiple=True, help="Override a key: workload.load=1.2")
@click.option("--core", default="", help="governor, observe, or a rival's name.")
@click.option("--seed", type=click.IntRange(0), help="Another seed than the file's.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help=".parquet .csv .json")
@sim_plot.option
@click.option("--schema", "show_schema", is_flag=True, help="Print the scenario's JSON Schema.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    scenario: str | None,
    changes: tuple[str, ...],
    core: str,
    seed: int | None,
    out: Path | None,
    plot: Path | None,
    show_schema: bool,
    output: str,
) -> None:
    """Run SCENARIO (a YAML file) in the simulated world and report what came of it.

    The governor that decides is the one that serves: `flyball serve` and this command differ only
    in who carries its commands out. Exit code 1: an invariant was broken.
    """
    if show_schema:
        click.echo(json.dumps(sim_input.schema(), indent=2))
        return
    if scenario is None:
        raise click.UsageError("name a scenario file; examples/scenarios has some")
    said = [
        *changes,
        *([f"core={core}"] if core else []),
        *([] if seed is None else [f"seed={seed}"]),
    ]
    plan = sim_input.load(scenario, said)
    begun = time.perf_counter()
    result = sim_input.played(plan, sim_output.progress(plan.name))
    if out is not None:
        sim_output.keep(result, out)
    report = result.report
    if plot is not None:
        names = [klass.name for klass in plan.policy.classes]
        sim_plot.write(plot, plan.name, result, lambda it: sim_plot.run(it, result, names))
    if output == "json":
        click.echo(sim_output.as_json(report))
    else:
        click.echo(sim_output.text(report, time.perf_counter() - begun))
    sys.exit(1 if report.breaches_count else 0)
