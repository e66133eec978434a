"""`flyball mandate login`: how does a person prove to a terminal who they are?"""

import time
from pathlib import Path

import click

from flyball.cli.mandate_input import faults, write_secret


@click.command("login")
@click.option("--issuer", required=True, help="The identity provider's URL.")
@click.option("--client-id", required=True, help="What flyball is called there.")
@click.option(
    "--out", "out", required=True, type=click.Path(path_type=Path, dir_okay=False),
    help="New file for the ID token, for `flyball mandate grant --id-token`.",
)  # fmt: skip
def command(issuer: str, client_id: str, out: Path) -> None:
    """Log in by device code (RFC 8628) at any OpenID Connect provider.

    Prints who was logged in. Exit codes: 0 done, 1 refused, 2 the provider cannot be reached.
    """
    from flyball.authority.mandates.oidc import person_of
    from flyball.cli.oversight_call import fail
    from flyball.serve.identity.device import LoginRefused, begin, finish
    from flyball.serve.identity.provider import discover, keys_of

    with faults():
        provider = discover(issuer)
        prompt = begin(provider, client_id)
        click.echo(f"Open {prompt.url} and type {prompt.code}", err=True)
        if prompt.complete_url:
            click.echo(f"or open {prompt.complete_url}", err=True)
        try:
            token = finish(provider, client_id, prompt, time.time, time.sleep)
        except LoginRefused as error:
            fail(f"{error}.", 1)
        person = person_of(token, keys_of(provider), issuer, client_id, time.time())
    write_secret(out, token)
    click.echo(f"{person.issuer}|{person.subject}")
