"""`flyball mandate inspect`: what does this mandate allow, and who is in its chain?"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from flyball.cli.mandate_input import faults, token_from
from flyball.cli.oversight_call import fail

if TYPE_CHECKING:
    from flyball.model.mandate import Mandate

_SHOWN = (
    "human", "acr", "session", "tenant", "delegates", "operations", "models", "classes",
    "data_classes", "jurisdictions", "depth_left", "autonomy", "policy_digest", "holder",
)  # fmt: skip


@click.command("inspect")
@click.argument("mandate", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--root", "roots", multiple=True, metavar="NUMBER=KEY",
    help="A root's public key, to verify it by; repeatable.",
)  # fmt: skip
@click.option("--approver", "approvers", multiple=True, metavar="NAME=KEY", help="Repeatable.")
@click.option("--holder", default="", help="Take it as shown with the key of this thumbprint.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    mandate: Path, roots: tuple[str, ...], approvers: tuple[str, ...], holder: str, output: str
) -> None:
    """Say what the mandate in the file MANDATE (- = stdin) allows; the token is not shown.

    Without --root nothing is verified, and it says so. Exit codes: 0 it holds (or was not
    verified), 1 it is refused, 2 could not be carried out.
    """
    token = token_from(mandate)
    with faults():
        found = _unverified(token) if not roots else _verified(token, roots, approvers, holder)
    if output == "json":
        click.echo(msgspec.json.encode({"verified": bool(roots), **found}))
        return
    click.echo("verified" if roots else "NOT VERIFIED: give --root")
    for name, value in found.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if text:
            click.echo(f"{name.replace('_', ' ')}: {text}")


def _verified(
    token: str, roots: tuple[str, ...], approvers: tuple[str, ...], holder: str
) -> dict[str, Any]:
    from flyball.authority.mandates.tokens import Verifier

    known = _keys(roots)
    if not all(name.isdecimal() for name in known):
        fail("--root is NUMBER=KEY.", 2)
    verifier = Verifier({int(name): key for name, key in known.items()}, _keys(approvers))
    return _told(verifier.verify(token, time.time(), holder))


def _told(mandate: "Mandate") -> dict[str, Any]:
    return {
        **{name: getattr(mandate, name) for name in _SHOWN},
        "budgets_usd": [one.limit_micro_usd / 1e6 for one in mandate.spends],
        "approved_by": [one.by for one in mandate.approvals],
        "expires_at": mandate.expires_at,
        "chain": mandate.chain,
    }


def _unverified(token: str) -> dict[str, Any]:
    from flyball.authority.mandates.attenuate import reading_of

    found = reading_of(token)
    return {
        "human": found.human, "delegates": found.delegates, "holder": found.holder,
        "root_key": found.root_key_id, "third_parties": [one for one in found.third_parties if one],
        **msgspec.structs.asdict(found.limits), "chain": found.chain,
    }  # fmt: skip


def _keys(texts: tuple[str, ...]) -> dict[str, bytes]:
    from flyball.authority.revocation.signer import KeyTextError, read_key

    found = {}
    for text in texts:
        name, _, key = text.partition("=")
        try:
            found[name] = read_key(key)
        except KeyTextError as error:
            fail(f"the key of {name}: {error}.", 2)
    return found
