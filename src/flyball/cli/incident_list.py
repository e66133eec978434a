"""`flyball incident list`: which scenarios can be made?"""

import json

import click


@click.command("list")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(output: str) -> None:
    """List the scenarios: name, form, plant and what happened."""
    from flyball.sim.incidents.neutrals import NEUTRALS
    from flyball.sim.incidents.scenarios import INCIDENTS

    every = (*INCIDENTS, *NEUTRALS)
    if output == "json":
        rows = [
            {"name": one.name, "form": one.form, "plant": one.plant, "title": one.title}
            | {"loops": one.loops, "kinds": one.kinds, "hours": one.hours}
            for one in every
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for one in every:
        click.echo(f"{one.name:<18} {one.form:<8} {one.plant:<10} {one.title}")
