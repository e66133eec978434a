"""`flyball mandate revoke`: how is a mandate made void at every governor?"""

import secrets
import time
from pathlib import Path

import click

from flyball.cli.mandate_input import faults, token_from
from flyball.cli.oversight_call import Door, fail, options, show


@click.command("revoke")
@click.argument("ids", nargs=-1)
@click.option(
    "--mandate", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Revoke the last block of the mandate in this file (- = stdin).",
)  # fmt: skip
@click.option("--human", default="", metavar="ISS|SUB", help="Revoke all granted to this person.")
@click.option("--session", default="", metavar="ISS|SID", help="… or in this session of theirs.")
@click.option("--reason", required=True, help="Why: it stands in the ledger.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False),
    help="Write the signed event into this file instead of handing it in.",
)  # fmt: skip
@options
def command(
    ids: tuple[str, ...],
    mandate: Path | None,
    human: str,
    session: str,
    reason: str,
    out: Path | None,
    key_file: Path | None,
    url: str,
    ca: str | None,
    output: str,
) -> None:
    """Revoke IDS (of a chain, as `inspect` and records show) and all that descends from them.

    Nothing new is admitted, streams are cut. Exit codes: 0 in force, or waiting for a second
    person, 1 refused, 2 the door cannot be reached.
    """
    from flyball.authority.mandates.attenuate import reading_of
    from flyball.authority.revocation.revocation import EventError, Revocation, sign_event

    with faults():
        last = (reading_of(token_from(mandate)).chain[-1],) if mandate else ()
    who = (("human", human), ("session", session))
    subjects = tuple(f"{kind}:{text}" for kind, text in who if text)
    if not ids and not last and not subjects:
        raise click.UsageError("say what: IDS, --mandate, --human or --session.")
    door = Door(url, key_file, ca)
    event = Revocation(
        id=secrets.token_hex(16), by=door.signer.name, reason=reason, made_at=time.time(),
        ids=(*ids, *last), subjects=subjects,
    )  # fmt: skip
    if out is None:
        show(door.order(event), output)
        return
    try:
        out.write_bytes(sign_event(event, door.signer) + b"\n")
    except EventError as error:
        fail(f"{error}.", 2)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}.", 2)
    click.echo(str(out))
