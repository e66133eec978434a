"""`flyball mandate request-approval`: how does a holder ask a person to allow one action?"""

import json
import time
from pathlib import Path

import click
import msgspec

from flyball.cli.mandate_input import faults, token_from
from flyball.cli.oversight_call import fail


@click.command("request-approval")
@click.argument("mandate", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--action", required=True, help="The action as a JSON object: what is approved.")
@click.option(
    "--folder", default=".", show_default=True, help="Where requests wait for `flyball approve`.",
    type=click.Path(path_type=Path, file_okay=False),
)  # fmt: skip
def command(mandate: Path, action: str, folder: Path) -> None:
    """Write a request for approval of one action under the mandate in the file MANDATE.

    Prints its id. The request holds no token: it can be sent by any way.
    """
    from flyball.authority.mandates.approval import ask

    try:
        wanted = json.loads(action)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        raise click.UsageError("--action is no JSON object.")
    with faults():
        asked = ask(token_from(mandate), wanted, time.time())
    path = folder / f"{asked.id}.request.json"
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(asked)) + b"\n")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.", 2)
    click.echo(asked.id)
