"""`flyball mandate attenuate`: how does a holder pass on less than they have?"""

import time
from pathlib import Path
from typing import Any

import click

from flyball.cli.mandate_input import (
    faults,
    limits_of,
    limits_options,
    read_file,
    token_from,
)
from flyball.cli.oversight_call import signer


@click.command("attenuate")
@click.argument("mandate", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--agent", default="", help="Whom it is delegated to; without it, only narrowed.")
@click.option("--holder", default="", help="Thumbprint of that agent's key.")
@click.option(
    "--signing-key", type=click.Path(path_type=Path, dir_okay=False),
    help="Your key file, where the mandate is bound to your key.",
)  # fmt: skip
@click.option(
    "--approval", type=click.Path(path_type=Path, dir_okay=False),
    help="Put an approval behind it, as `flyball approve` wrote it, and nothing else.",
)  # fmt: skip
@limits_options
def command(
    mandate: Path,
    agent: str,
    holder: str,
    signing_key: Path | None,
    approval: Path | None,
    depth: int | None,
    life: str,
    **given: Any,
) -> None:
    """Print the mandate in the file MANDATE (- = stdin) with one narrower block behind it.

    Needs no network and nobody's leave. Exit codes: 0 done, 1 it would allow more than there is or
    is refused otherwise, 2 could not be carried out.
    """
    from flyball.authority.mandates.approval import attach, read_granted
    from flyball.authority.mandates.attenuate import attenuate

    token = token_from(mandate)
    with faults():
        if approval is not None:
            click.echo(attach(token, read_granted(read_file(approval))))
            return
        limits = limits_of(given, time.time(), life)
        key = signer(signing_key) if signing_key else None
        click.echo(attenuate(token, limits, agent, holder, depth, key))
