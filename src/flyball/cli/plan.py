"""What should be placed where, at which price? (`flyball plan PLAN`)"""

import json
import sys

import click

from flyball.cli import plan_input, plan_output, plan_shape, plan_twin
from flyball.cli.file_shape import CannotUse
from flyball.pricing.placement_report import report


@click.command("plan")
@click.argument("plan", type=click.Path(dir_okay=False), required=False)
@click.option(
    "--simulate",
    "seconds",
    type=click.FloatRange(1, 3600),
    help="Also run the planned fleet in the twin for so many seconds at the planned rates.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the twin.")
@click.option(
    "--time-limit",
    "time_max_s",
    type=click.FloatRange(0.1, 3600),
    default=20.0,
    show_default=True,
    help="Longest search for whole replicas, s; the gap that is left is told.",
)
@click.option("--schema", "show_schema", is_flag=True, help="Print the plan file's JSON Schema.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "markdown"]), default="text")
def command(
    plan: str | None,
    seconds: float | None,
    seed: int,
    time_max_s: float,
    show_schema: bool,
    output: str,
) -> None:
    """Place the demand of PLAN (a YAML file) on sites and accelerators at the least cost.

    Tells what runs where, what a request of each class costs, what a millisecond, a megawatt, a
    jurisdiction rule and each accelerator are worth, which owned hardware is misplaced, and what
    changes with demand and prices. Exit code 1: not all that must be served can be, or (with
    --simulate) a class that must be served does not keep its promises in the twin.
    """
    if show_schema:
        click.echo(json.dumps(plan_shape.schema(), indent=2))
        return
    if plan is None:
        raise click.UsageError("name a plan file; examples/plans has some")
    asked = plan_input.load(plan)

    def tell(step: str) -> None:
        click.echo(f"{asked.name}: {step} …", err=True)

    try:
        found = report(asked.placement, asked.name, asked.notes, time_max_s, tell)
    except ValueError as error:
        raise CannotUse(f"{plan}: {error}") from None
    judged: list[plan_twin.Judged] = []
    if seconds is not None and found.pools:
        tell(f"{seconds:g} s in the twin")
        judged = plan_twin.judge(asked.placement, found, seconds, seed)
    show = {
        "text": plan_output.text,
        "json": plan_output.as_json,
        "markdown": plan_output.markdown,
    }[output]
    click.echo(show(found, judged))
    keeps = plan_twin.keeps_promises(judged, found.in_time)
    sys.exit(0 if found.serves_all and keeps else 1)
