"""`flyball bundle`: how is a policy bundle made, signed, logged, checked, and carried?"""

from pathlib import Path
from typing import Any

import click
import msgspec

from flyball.cli.bundle_input import (
    bundle_of,
    content_of,
    demands_of,
    now,
    refuse,
    summary,
    write,
)
from flyball.cli.file_shape import CannotUse

_FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
_SOURCE = click.argument("source", metavar="FILE|oci://HOST/NAME:TAG")
_OUTPUT = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")


@click.group("bundle")
def command() -> None:
    """Policies that travel with the work: one file, signed, versioned, with its own tests.

    Keys are made by `flyball people new-key NAME`. What a gateway asks of a bundle stands in its
    fleet file, under `authority.bundles`.
    """


@command.command("build")
@click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option("--to", "to", required=True, metavar="FILE", help="Where it is written.",
              type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@click.option("--name", required=True, help="What it is called; stays the same over versions.")
@click.option("--version", "number", required=True, type=int, help="Above all versions before.")
@click.option("--expires", required=True, metavar="TIME", help="Such as 2027-06-30T00:00:00Z.")
@click.option("--not-before", default="1970-01-01T00:00:00Z", metavar="TIME", show_default=True)
@click.option("--tenant", default="", help="Whose it is.")
@click.option("--engine", default="cedar>=4.8", show_default=True, help="Engine that it needs.")
@click.option("--requires", "least", type=int, default=0, help="So many of --of must sign it.")
@click.option("--of", "keys", multiple=True, metavar="KEY", help="Public key; repeatable.")
@_OUTPUT
def build(folder: Path, to: Path, output: str, **said: Any) -> None:
    """Make a bundle of a folder: .cedar files, entities.json, tests.yaml, limits.json, …

    The same files give the same bytes. Exit codes: 0 made, 1 it could not come into force
    anywhere, 2 a file cannot be read.
    """
    from flyball.authority.bundles.archive import BundleError
    from flyball.authority.bundles.bundle import Manifest, Requires
    from flyball.authority.bundles.bundle import build as built
    from flyball.authority.bundles.vet import Demands, vet

    content = content_of(folder)
    manifest = Manifest(
        name=said["name"],
        tenant=said["tenant"],
        version=said["number"],
        not_before=said["not_before"],
        expires=said["expires"],
        required_engine=said["engine"],
        requires=Requires(said["least"], tuple(said["keys"])),
    )
    try:
        made = built(manifest, content)
        vet(made, Demands(), made.manifest.not_before_at)
        write(to, made.encode())
    except BundleError as error:
        refuse(error)
    except ModuleNotFoundError as error:
        raise CannotUse(f"{error.name} is not installed: pip install 'flyball[serve]'") from None
    _told({"digest": made.digest, "file": str(to)}, made.digest, output)


@command.command("sign")
@_FILE
@click.option("--key", "keys", required=True, multiple=True, metavar="FILE",
              type=click.Path(path_type=Path, dir_okay=False),
              help="Key file; repeatable. Each key signs once.")  # fmt: skip
@_OUTPUT
def sign(file: Path, keys: tuple[Path, ...], output: str) -> None:
    """Add signatures to a bundle. Exit codes: 0 done, 1 refused, 2 a file cannot be used."""
    from flyball.authority.bundles.archive import BundleError
    from flyball.authority.bundles.bundle import PAYLOAD_TYPE
    from flyball.authority.bundles.dsse import seal
    from flyball.cli.oversight_call import signer

    found = bundle_of(str(file))
    people = [signer(key) for key in keys]
    try:
        envelope = seal(PAYLOAD_TYPE, found.statement(), people, found.envelope)
        signed = msgspec.structs.replace(found, envelope=envelope)
        write(file, signed.encode())
    except BundleError as error:
        refuse(error)
    told = summary(signed)
    _told(told, f"{found.digest} signed by {len(told['signed_by'])}", output)


@command.command("log")
@_FILE
@click.option("--log", "folder", required=True, metavar="DIR",
              type=click.Path(path_type=Path, file_okay=False))  # fmt: skip
@click.option("--key", required=True, metavar="FILE", help="Key with which the log signs.",
              type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@_OUTPUT
def log(file: Path, folder: Path, key: Path, output: str) -> None:
    """Write a bundle's Statement to a log of bundles, and put the proof of it into the bundle.

    `flyball witness --new-key NAME --kind log` makes the key. Exit codes: 0 done, 1 the bundle is
    bad, 2 the log cannot be used.
    """
    from flyball.serve.bundles.proven import log_it
    from flyball.serve.log.writer import LedgerError

    found = bundle_of(str(file))
    try:
        proof = log_it(found, folder, key)
    except LedgerError as error:
        raise CannotUse(str(error)) from None
    write(file, msgspec.structs.replace(found, proof=proof).encode())
    _told({"digest": found.digest, "log": str(folder)}, f"{found.digest} is in {folder}", output)


@command.command("verify")
@_SOURCE
@click.option("--signer", "signers", multiple=True, metavar="NAME=KEY",
              help="Public key that is believed; repeatable.")  # fmt: skip
@click.option("--least", type=int, metavar="N", help="So many must have signed. Default: all.")
@click.option("--tenant", default="", help="Whose bundle it must be.")
@click.option("--trust", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Trust policy of the log that it must be in.")  # fmt: skip
@click.option("--after", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="The bundle in force: a newer version is wanted.")  # fmt: skip
@click.option("--at", metavar="TIME", help="As of that time, not now.")
@_OUTPUT
def verify(
    source: str,
    signers: tuple[str, ...],
    least: int | None,
    tenant: str,
    trust: Path | None,
    after: Path | None,
    at: str | None,
    output: str,
) -> None:
    """Say whether a bundle may come into force, as a gateway with these demands would.

    Its own tests are run. Exit codes: 0 it may, 1 it may not, 2 it cannot be read.
    """
    from flyball.authority.bundles.archive import BundleError
    from flyball.authority.bundles.vet import vet

    demands = demands_of(signers, least, tenant, trust)
    found = bundle_of(source)
    before = bundle_of(str(after)).manifest if after else None
    try:
        vetted = vet(found, demands, now(at), before)
    except BundleError as error:
        if output == "json":
            _print_json({"ok": False, "code": error.code, "reason": str(error)})
        refuse(error)
    except ModuleNotFoundError as error:
        raise CannotUse(f"{error.name} is not installed: pip install 'flyball[serve]'") from None
    if not demands.least:
        click.echo("Nobody's signature was asked for: name --signer.", err=True)
    by = ", ".join(vetted.signers) or "nobody"
    text = f"ok: {found.digest}, version {found.manifest.version}, signed by {by}"
    _told({"ok": True, "signers": vetted.signers, **summary(found)}, text, output)


@command.command("show")
@_SOURCE
@_OUTPUT
def show(source: str, output: str) -> None:
    """Print what a bundle says of itself, unjudged. Exit codes: 0 read, 1 damaged, 2 not there."""
    told = summary(bundle_of(source))
    about = told["manifest"]
    owner = f" of {about['tenant']}" if about["tenant"] else ""
    lines = [
        f"{about['name']}{owner}, version {about['version']}",
        f"  digest   {told['digest']}",
        f"  holds    {about['notBefore']} to {about['expires']}",
        f"  engine   {about['requiredEngine']}",
        *(f"  signed   {key}" for key in told["signed_by"]),
        f"  logged   {'with a proof' if told['is_logged'] else 'no'}",
        *(f"  {size:7}  {name}" for name, size in told["files"].items()),
    ]
    _told(told, "\n".join(lines), output)


@command.command("push")
@_FILE
@click.argument("place", metavar="oci://HOST/NAME:TAG")
@_OUTPUT
def push(file: Path, place: str, output: str) -> None:
    """Put a bundle into an OCI registry; `oci+http://` for one without TLS.

    Exit codes: 0 done, 1 the bundle is damaged, 2 the registry would not.
    """
    from flyball.authority.bundles.archive import BundleError
    from flyball.serve.bundles.registry import push as pushed

    found = bundle_of(str(file))
    try:
        digest = pushed(place, found.encode())
    except BundleError as error:
        refuse(error)
    _told({"artifact": digest, "bundle": found.digest}, digest, output)


@command.command("pull")
@click.argument("place", metavar="oci://HOST/NAME:TAG")
@click.option("--to", "to", required=True, metavar="FILE", help="Where it is written.",
              type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@_OUTPUT
def pull(place: str, to: Path, output: str) -> None:
    """Get a bundle out of an OCI registry. Exit codes: 0 done, 1 it is damaged, 2 not had."""
    found = bundle_of(place)
    write(to, found.encode())
    _told({"digest": found.digest, "file": str(to)}, found.digest, output)


def _told(told: dict[str, Any], text: str, output: str) -> None:
    if output == "json":
        _print_json(told)
    else:
        click.echo(text)


def _print_json(told: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
