"""`flyball resume`: how does a named person let stopped work go on?"""

from pathlib import Path

import click

from flyball.cli.oversight_call import Door, options
from flyball.cli.stop import give


@click.command("resume")
@click.argument("scope")
@click.option("--reason", required=True, help="Why: it stands in the ledger.")
@click.option("--everywhere", is_flag=True, help="At every governor that follows this one's feed.")
@options
def command(
    scope: str,
    reason: str,
    everywhere: bool,
    key_file: Path | None,
    url: str,
    ca: str | None,
    output: str,
) -> None:
    """Let SCOPE, as it was named to `flyball stop`, go on.

    Exit codes: 0 in force or waiting for a second person, 1 refused, 2 the door cannot be reached.
    """
    give(scope, reason, None, everywhere, False, Door(url, key_file, ca), output)
