"""What would each loop set if it might, and why?"""

import json
import sys
from typing import Any

import click

from flyball.cli.loops_page import fetch


@click.command(name="advise")
@click.argument("loop", default="")
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="Base URL of the gateway."
)
@click.option("--all", "is_all", is_flag=True, help="Also those that stand where they are wished.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json = the gateway's page of loops.",
)
def command(loop: str, url: str, is_all: bool, output: str) -> None:
    """Show the set-points that the loops recommend, or those of LOOP alone.

    Exit codes: 0 nothing is to be done, 1 something is recommended that was not carried out,
    2 the gateway cannot be reached.
    """
    page = fetch(url)
    found = [one for one in page["wishes"] if not loop or one["loop"] == loop]
    open_wishes = [one for one in found if is_open(one)]
    if output == "json":
        click.echo(json.dumps({**page, "wishes": found}, separators=(",", ":")))
    else:
        shown = found if is_all else open_wishes
        click.echo("\n".join(line(one) for one in shown) or "nothing is recommended now")
    sys.exit(1 if open_wishes else 0)


def is_open(wish: dict[str, Any]) -> bool:
    """Recommended, and nobody carries it out."""
    return (
        wish["wish"] is not None and wish["wish"] != wish["present"] and (wish["mode"] != "enforce")
    )


def line(wish: dict[str, Any]) -> str:
    """One wish in words."""
    targets = f" ({', '.join(wish['targets'])})" if wish["targets"] else ""
    return (
        f"{wish['loop']}: {wish['actuator']} of {wish['scope']}: {wish['present']:g} -> "
        f"{wish['wish']:g}{targets} [{wish['mode']}, {wish['age_s']:.0f} s ago] {wish['reason']}"
    )
