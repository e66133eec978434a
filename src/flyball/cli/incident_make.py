"""`flyball incident make`: how are folders of incidents with a known truth made?"""

from pathlib import Path

import click

from flyball.cli.file_shape import CannotUse

# Seeds below this tune, the others judge: nobody can mix them up.
JUDGING_FROM = 100


@click.command("make")
@click.argument("place", type=click.Path(path_type=Path, file_okay=False))
@click.option("--only", multiple=True, help="Scenario, or the begin of its name; also several.")
@click.option("--seed", default=JUDGING_FROM + 1, show_default=True, help="First seed.")
@click.option("--copies", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
def command(place: Path, only: tuple[str, ...], seed: int, copies: int, form: str) -> None:
    """Make folders of recorded incidents below PLACE, NAME-SEED each.

    Seeds below 100 make the tuning half, the others the judging half. Same seed, same folder.
    """
    from flyball.cli.incident_files import write_incident
    from flyball.sim.incidents.neutrals import NEUTRALS
    from flyball.sim.incidents.scenario import recorded
    from flyball.sim.incidents.scenarios import INCIDENTS

    every = (*INCIDENTS, *NEUTRALS)
    names = {one.name for one in every}
    exact = {part for part in only if part in names}
    chosen = [
        one
        for one in every
        if not only
        or one.name in exact
        or any(one.name.startswith(part) for part in only if part not in names)
    ]
    if not chosen:
        raise CannotUse(f"no scenario of {', '.join(only)}: see `flyball incident list`")
    for scenario in chosen:
        for number in range(seed, seed + copies):
            folder = place / f"{scenario.name}-{number}"
            half = "tuning" if number < JUDGING_FROM else "judging"
            write_incident(folder, recorded(scenario, number, half), form)
            click.echo(str(folder))
