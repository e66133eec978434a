"""`flyball stop`: how does a named person stop work at once, here or at every governor?"""

import secrets
import time
from pathlib import Path

import click

from flyball.cli.oversight_call import Door, options, show


@click.command("stop")
@click.argument("scope")
@click.option("--reason", required=True, help="Why: it stands in the ledger.")
@click.option(
    "--for", "for_s", type=click.FloatRange(min=0, min_open=True),
    help="Seconds; without it, until `flyball resume`.",
)  # fmt: skip
@click.option("--everywhere", is_flag=True, help="At every governor that follows this one's feed.")
@options
def command(
    scope: str,
    reason: str,
    for_s: float | None,
    everywhere: bool,
    key_file: Path | None,
    url: str,
    ca: str | None,
    output: str,
) -> None:
    """Stop SCOPE: nothing new is admitted, what runs is cut, and who did it is recorded.

    SCOPE is all, class:NAME, session:KEY, principal:NAME, model:NAME or site:NAME. Exit codes:
    0 in force or waiting for a second person, 1 refused, 2 the door cannot be reached.
    """
    give(scope, reason, for_s, everywhere, True, Door(url, key_file, ca), output)


def give(
    scope: str,
    reason: str,
    for_s: float | None,
    everywhere: bool,
    is_stopped: bool,
    door: Door,
    output: str,
) -> None:
    """Sign the order and hand it in."""
    from flyball.authority.revocation.revocation import Stop

    at = time.time()
    event = Stop(
        id=secrets.token_hex(16),
        by=door.signer.name,
        reason=reason,
        made_at=at,
        scope=scope,
        is_stopped=is_stopped,
        site="" if everywhere else door.site,
        until=0.0 if for_s is None else at + for_s,
    )
    show(door.order(event), output)
