"""`flyball people`: how does a person get a key, see what waits, and confirm as the second one?"""

import json
import os
from pathlib import Path
from typing import Any

import click

from flyball.cli.oversight_call import Door, fail, options, show


@click.group("people")
def command() -> None:
    """Keys of people, what waits for a second person, and the state of the feeds."""


@command.command("new-key")
@click.argument("name")
@click.option(
    "--key", "key_file", required=True, type=click.Path(path_type=Path, dir_okay=False),
    help="File for the new key; it must not exist.",
)  # fmt: skip
def new_key(name: str, key_file: Path) -> None:
    """Make a key for the person or site NAME and print its public half, for the fleet file.

    The file is readable by you alone, and is never sent anywhere.
    """
    from flyball.authority.revocation.signer import KeyTextError, Signer, key_text

    try:
        made = Signer.new(name)
        file = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except KeyTextError as error:
        fail(f"{error}.", 2)
    except FileExistsError:
        fail(f"{key_file} is there already: a key is never written over.", 2)
    except OSError as error:
        fail(f"{key_file} cannot be written: {error.strerror}.", 2)
    with open(file, "w") as out:
        out.write(made.private_text() + "\n")
    click.echo(key_text(made.public))


@command.command("show")
@options
def show_state(key_file: Path | None, url: str, ca: str | None, output: str) -> None:
    """Who you are to this governor, which orders wait, how fresh its feeds are."""
    page = Door(url, key_file, ca).call("GET", "/flyball/oversight")
    if output == "json":
        click.echo(json.dumps(page, separators=(",", ":")))
        return
    click.echo(f"site {page['site']}: you are {page['you']['name']}, {page['you']['role']}")
    for feed in page["feeds"]:
        age = "never heard" if feed["age_s"] is None else f"heard {feed['age_s']:.1f} s ago"
        click.echo(f"  feed {feed['feed']}: {feed['sequence']} events, {age}")
    for one in page["waiting"]:
        left = one["ends_at"] - page["at"]
        click.echo(
            f"  waits: {one['act']} {one['scope']} by {one['by']} ({one['reason']}), {left:.0f} s: "
            f"flyball people confirm {one['id']}"
        )


@command.command("confirm")
@click.argument("order_id")
@options
def confirm(order_id: str, key_file: Path | None, url: str, ca: str | None, output: str) -> None:
    """Confirm, as the second person, the order that waits under ORDER_ID.

    What you sign is the first person's order with your name beside theirs. Exit codes: 0 in force,
    1 refused, 2 the door cannot be reached.
    """
    door = Door(url, key_file, ca)
    page = door.call("GET", "/flyball/oversight")
    found = [one for one in page["waiting"] if one["id"] == order_id]
    if not found:
        fail("no such order waits (any more).", 1)
    click.echo(
        f"{found[0]['by']} asks: {found[0]['act']} {found[0]['scope']} ({found[0]['reason']})",
        err=True,
    )
    body = _seconded(door, found[0])
    show(door.call("POST", f"/flyball/orders/{order_id}/confirm", body), output)


def _seconded(door: Door, waiting: dict[str, Any]) -> bytes:
    """The order signed a second time; overrides need no second signature but the call's own."""
    import msgspec

    from flyball.authority.revocation.revocation import EventError, sign_event, verify_event

    if waiting["act"] == "override":
        return b""
    try:
        event = verify_event(waiting["order"].encode(), {}).event
        if event.by != waiting["by"]:
            raise EventError("forged", "the order is in another person's name")
        return sign_event(msgspec.structs.replace(event, seconded_by=door.signer.name), door.signer)
    except EventError as error:
        fail(f"what waits is no order that can be confirmed: {error}.", 1)
