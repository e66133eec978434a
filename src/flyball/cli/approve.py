"""`flyball approve`: how does a named person allow one action, once?"""

import secrets
import time
from pathlib import Path

import click
import msgspec

from flyball.cli.mandate_input import faults, read_file, seconds_of
from flyball.cli.oversight_call import KEY_ENV, fail, signer

_HEX = set("0123456789abcdef")


@click.command("approve")
@click.argument("request_id", metavar="HASH|ID")
@click.option(
    "--key", "key_file", envvar=KEY_ENV, type=click.Path(path_type=Path, dir_okay=False),
    help=f"Your key file, as `flyball people new-key` made it (or {KEY_ENV}).",
)  # fmt: skip
@click.option(
    "--folder", default=".", show_default=True, help="Where the request is; the approval too.",
    type=click.Path(path_type=Path, file_okay=False),
)  # fmt: skip
@click.option("--for", "life", default="15m", show_default=True, help="How long it may be used.")
@click.option("--yes", is_flag=True, help="Do not ask again.")
def command(request_id: str, key_file: Path | None, folder: Path, life: str, yes: bool) -> None:
    """Approve the action whose hash, or request, is HASH|ID, for the mandate that asked.

    Shows what is approved and asks; prints the approval's file, for the holder's
    `flyball mandate attenuate --approval`. Exit codes: 0 approved, 1 refused, 2 no such request.
    """
    from flyball.authority.mandates.approval import approve, read_asked

    short = request_id[:16]
    if len(short) < 16 or not set(request_id) <= _HEX:
        raise click.UsageError("HASH|ID has 16 hex digits or more, as request-approval printed.")
    with faults():
        asked = read_asked(read_file(folder / f"{short}.request.json"))
        if not asked.action_sha256.startswith(request_id):
            fail(f"the request {short} is of another action.", 2)
        by = signer(key_file)
        click.echo(
            f"{', '.join(asked.delegates) or asked.human} asks, for {asked.human}:", err=True
        )
        for name, value in sorted(asked.action.items()):
            click.echo(f"  {name}: {value!r}", err=True)
        if not yes and not click.confirm(f"Approve as {by.name}?", err=True):
            fail("not approved.", 1)
        span_s = seconds_of(life)
        granted = approve(asked, by, time.time(), span_s, secrets.token_bytes(16))
    path = folder / f"{short}.approval.json"
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(granted)) + b"\n")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.", 2)
    click.echo(str(path))
