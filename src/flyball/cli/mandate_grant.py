"""`flyball mandate grant`: how does an operator give a person a mandate?"""

import secrets
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.mandate_input import faults, limits_of, limits_options, token_from
from flyball.cli.oversight_call import signer

if TYPE_CHECKING:
    from flyball.authority.mandates.grant import Person

_OPAQUE_BYTES = 24


@click.command("grant")
@click.option(
    "--root-key", required=True, type=click.Path(path_type=Path, dir_okay=False),
    help="The root's key file; its name is its number.",
)  # fmt: skip
@click.option(
    "--id-token", type=click.Path(path_type=Path, dir_okay=False),
    help="ID token, as `flyball mandate login` wrote it; with --issuer and --client-id.",
)  # fmt: skip
@click.option("--issuer", default="", help="The identity provider's URL.")
@click.option("--client-id", default="", help="What flyball is called there.")
@click.option("--person", default="", help="ISSUER|SUBJECT, on the operator's own word.")
@click.option("--tenant", default="", help="Whose work it is.")
@click.option("--holder", default="", help="Thumbprint of the key to be shown with it (DPoP).")
@click.option(
    "--register", "register_file", type=click.Path(path_type=Path, dir_okay=False),
    help="File of all mandates granted here, for `list` and for opaque keys.",
)  # fmt: skip
@click.option("--opaque", is_flag=True, help="Print an opaque key that stands for it instead.")
@limits_options
def command(
    root_key: Path,
    id_token: Path | None,
    issuer: str,
    client_id: str,
    person: str,
    tenant: str,
    holder: str,
    register_file: Path | None,
    opaque: bool,
    depth: int | None,
    life: str,
    **given: Any,
) -> None:
    """Print a mandate for a person: the ordinary api_key of any client.

    Without --for it holds 8 hours. Exit codes: 0 done, 1 refused, 2 could not be carried out.
    """
    if opaque and register_file is None:
        raise click.UsageError("--opaque needs --register: the mandate is kept there.")
    from msgspec import structs

    from flyball.authority.mandates.grant import grant
    from flyball.serve.identity.register import Register

    at = time.time()
    with faults():
        root = signer(root_key)
        who = _person(id_token, issuer, client_id, person, at)
        register = Register(register_file) if register_file else None
        limits = structs.replace(limits_of(given, at, life or "8h"), hops=depth)
        token = grant(root, who, limits, at, tenant, holder)
        shown = f"sk-{secrets.token_hex(_OPAQUE_BYTES)}" if opaque else token
        if register is not None:
            _register(register, token, shown if opaque else "", tenant, root.name, at)
    click.echo(shown)


def _person(id_token: Path | None, issuer: str, client_id: str, person: str, at: float) -> "Person":
    from flyball.authority.mandates.grant import Person
    from flyball.authority.mandates.oidc import person_of
    from flyball.serve.identity.provider import discover, keys_of

    if bool(person) == bool(id_token):
        raise click.UsageError("say who: either --id-token or --person.")
    if person:
        by, _, subject = person.partition("|")
        return Person(issuer=by, subject=subject, acr="operator")
    if id_token is None or not issuer or not client_id:
        raise click.UsageError("--id-token needs --issuer and --client-id.")
    return person_of(token_from(id_token), keys_of(discover(issuer)), issuer, client_id, at)


def _register(register: Any, token: str, key: str, tenant: str, root: str, at: float) -> None:
    from flyball.authority.mandates.attenuate import reading_of
    from flyball.serve.identity.register import Entry

    found = reading_of(token)
    entry = Entry(
        id=found.chain[0],
        human=found.human,
        by=f"root {root}",
        at=at,
        expires_at=found.limits.expires_at or 0.0,
        root_key=root,
        tenant=tenant,
        key_sha256=sha256(key.encode()).hexdigest() if key else "",
        token=token if key else "",
    )
    register.add(entry, at)
