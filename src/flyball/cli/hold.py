"""How does an operator freeze a loop's set-points, or all of them, and let them go again?"""

import getpass
import json
import secrets
from pathlib import Path
from typing import Any

import click

from flyball.cli.loops_page import tell
from flyball.cli.oversight_call import URL as DOOR
from flyball.cli.oversight_call import Door, show


@click.command(name="hold")
@click.argument("loop", default="")
@click.option(
    "--release", is_flag=True, help="End the hold: the loop goes on from where it stands."
)
@click.option("--for", "for_s", type=click.FloatRange(min=0, min_open=True), help="Seconds.")
@click.option(
    "--mode",
    type=click.Choice(["observe", "advise", "enforce", "configured"]),
    help="Set LOOP's mode instead of holding it.",
)
@click.option("--reason", default="", help="Why: it stands in the ledger.")
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="Base URL of the gateway."
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Your key file: act as a named person, at the oversight door.",
)
@click.option(
    "--door", default=DOOR, show_default=True, help="That door's URL; it goes with --key."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json = the gateway's page of loops, or the door's answer.",
)
def command(
    loop: str,
    release: bool,
    for_s: float | None,
    mode: str | None,
    reason: str,
    url: str,
    key_file: Path | None,
    door: str,
    output: str,
) -> None:
    """Freeze the set-points of LOOP, or of all loops but health, where they stand.

    The loop goes on watching and recording what it would do. Where the fleet file names
    `admin.key_env`, the same key must stand in FLYBALL_ADMIN_KEY here; with --key it is an order
    signed by you instead, on record under your name. Exit codes: 0 done, or waiting for a second
    person, 1 refused, 2 the gateway cannot be reached.
    """
    if mode and (release or for_s is not None):
        raise click.UsageError("--mode goes with neither --release nor --for.")
    if mode and not loop:
        raise click.UsageError("name the LOOP whose mode is to change.")
    if key_file is not None:
        if not reason:
            raise click.UsageError("an order in your name gives its --reason.")
        _order(Door(door, key_file), loop, mode or ("release" if release else "hold"), for_s,
               reason, output)  # fmt: skip
        return
    act: dict[str, Any] = {"loop": loop, "reason": reason, "who": _who()}
    if mode:
        act |= {"act": "mode", "mode": None if mode == "configured" else mode}
    elif release:
        act |= {"act": "release"}
    else:
        act |= {"act": "hold", "for_s": for_s}
    page = tell(url, act)
    if output == "json":
        click.echo(json.dumps(page, separators=(",", ":")))
    else:
        click.echo(summary(page, loop))


def _order(door: Door, loop: str, to: str, for_s: float | None, reason: str, output: str) -> None:
    """The same as an override by a named person: two persons may be asked for."""
    order = {
        "id": secrets.token_hex(16),
        "scope": f"loop:{loop or 'all'}",
        "to": to,
        "reason": reason,
        "for_s": for_s,
    }
    show(door.call("POST", "/flyball/overrides", json.dumps(order).encode()), output)


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in this container
        return ""


def summary(page: dict[str, Any], loop: str) -> str:
    """One line per loop that the act was about. `page` is the gateway's JSON."""
    lines: list[str] = []
    for one in page["loops"]:
        if loop and one["name"] != loop:
            continue
        state = "held" if one["held"] else one["acting"]
        left = one["held_for_s"]
        until = f" for {left:.0f} s more" if left is not None else ""
        why = f" ({one['why']})" if one["why"] else ""
        lines.append(f"{one['name']}: {state}{until}{why}")
    return "\n".join(lines)
