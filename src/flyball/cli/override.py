"""`flyball override`: how does a named person take a loop or an endpoint into their own hands?"""

import json
import secrets
from pathlib import Path

import click

from flyball.cli.oversight_call import Door, options, show

_TO = ("hold", "release", "observe", "advise", "enforce", "configured", "drained", "in-service")


@click.command("override")
@click.argument("scope")
@click.argument("to", type=click.Choice(_TO))
@click.option("--reason", required=True, help="Why: it stands in the ledger.")
@click.option(
    "--for", "for_s", type=click.FloatRange(min=0, min_open=True), help="Seconds a hold lasts."
)
@options
def command(
    scope: str,
    to: str,
    reason: str,
    for_s: float | None,
    key_file: Path | None,
    url: str,
    ca: str | None,
    output: str,
) -> None:
    """Set SCOPE, loop:NAME or endpoint:NAME, to another state than the governor would.

    A loop can be held, released, or put into a mode (configured = as the fleet file says); loop:all
    holds or releases all. An endpoint can be drained or put in service again. Exit codes: 0 in
    force or waiting for a second person, 1 refused, 2 the door cannot be reached.
    """
    order = {
        "id": secrets.token_hex(16), "scope": scope, "to": to, "reason": reason, "for_s": for_s,
    }  # fmt: skip
    door = Door(url, key_file, ca)
    show(door.call("POST", "/flyball/overrides", json.dumps(order).encode()), output)
