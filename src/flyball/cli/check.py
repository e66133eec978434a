"""Is this fleet file fit to come into force, and do the endpoints agree with it?"""

import asyncio
import sys
from typing import Any

import click
import msgspec

from flyball.serve.config import Config, ConfigError, ConfigErrors, load
from flyball.serve.config.errors import count, tally


@click.command("check")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--live", is_flag=True, help="Also ask every endpoint: health, metrics, models.")
@click.option(
    "--without-env",
    is_flag=True,
    help="Only warn of environment variables that are not set (to check on another machine).",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the result.",
)
def command(file: str, live: bool, without_env: bool, output: str) -> None:
    """Check a fleet FILE: all errors at once, with file:line:column.

    Exit codes: 0 it may come into force (warnings at most), 1 it may not, or (--live) an endpoint
    differs, 2 it could not be read.
    """
    try:
        config = load(file, is_lenient=without_env)
    except ConfigErrors as faults:
        _tell_faults(faults.errors, output)
        sys.exit(1)
    except OSError as fault:
        click.echo(f"flyball: cannot read {file}: {fault.strerror or fault}", err=True)
        sys.exit(2)
    contacts = _contacts(config) if live else []
    if output == "json":
        click.echo(msgspec.json.encode(_result(config, contacts)).decode())
    else:
        _tell_config(config, contacts)
    sys.exit(0 if all(one.reachable and not one.differences for one in contacts) else 1)


def _contacts(config: Config) -> list[Any]:
    from flyball.serve.engines.contact import contact_all

    click.echo(f"asking {count(len(config.fleet.endpoints), 'endpoint')} …", err=True)
    return asyncio.run(contact_all(config))


def _tell_faults(errors: list[ConfigError], output: str) -> None:
    if output == "json":
        click.echo(msgspec.json.encode({"ok": False, "faults": errors, "endpoints": []}).decode())
        return
    for error in errors:
        click.echo(str(error))
    click.echo(tally(errors), err=True)


def _result(config: Config, contacts: list[Any]) -> dict[str, Any]:
    return {
        "ok": all(one.reachable and not one.differences for one in contacts),
        "digest": config.digest,
        "faults": config.warnings,
        "endpoints": contacts,
    }


def _tell_config(config: Config, contacts: list[Any]) -> None:
    for warning in config.warnings:
        click.echo(str(warning))
    for one in contacts:
        if not one.reachable:
            click.echo(f"{one.endpoint}: not reachable at {one.url}: {one.differences[0]}")
        elif not one.differences:
            click.echo(f"{one.endpoint}: agrees")
        else:
            for difference in one.differences:
                click.echo(f"{one.endpoint}: {difference}")
    fleet, policy = config.fleet, config.policy
    parts = [
        count(len(fleet.sites), "site"),
        count(len(fleet.pools), "pool"),
        count(len(fleet.endpoints), "endpoint"),
        count(len(policy.classes), "class"),
        count(len(policy.principals), "principal"),
        count(len(config.warnings), "warning"),
    ]
    agree = sum(one.reachable and not one.differences for one in contacts)
    live = f"; {agree} of {len(contacts)} endpoints agree with it" if contacts else ""
    click.echo(f"{config.source}: ok: {', '.join(parts)}; digest {config.digest[:12]}{live}")
