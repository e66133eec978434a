"""What is asked of `flyball bundle`: which files make a bundle, and which bundle is meant?"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import msgspec

from flyball.cli.file_shape import CannotUse, raise_if_bad, read

if TYPE_CHECKING:
    from flyball.authority.bundles.archive import BundleError
    from flyball.authority.bundles.bundle import Bundle
    from flyball.authority.bundles.vet import Demands

_TESTS = ("tests.json", "tests.yaml", "tests.yml")


def content_of(folder: Path) -> dict[str, bytes]:
    """The files of a bundle from a folder: .cedar files joined in the order of their names, tests
    as JSON, the schema of this version unless the folder has one. CannotUse if one is wanting."""
    from flyball.authority.bundles.archive import (
        ENTITIES,
        LIMITS,
        OBLIGATIONS,
        POLICIES,
        SCHEMA,
        TESTS,
        TRUST,
    )
    from flyball.authority.policy.schema import schema_text

    try:
        found = {path.name: path for path in folder.iterdir() if path.is_file()}
        cedar = [found[name].read_bytes() for name in sorted(found) if name.endswith(".cedar")]
        if not cedar:
            raise CannotUse(f"no .cedar file in {folder}")
        made = {POLICIES: b"\n".join(cedar), ENTITIES: b"[]", SCHEMA: schema_text().encode()}
        for name in (SCHEMA, ENTITIES, OBLIGATIONS, LIMITS, TRUST):
            if name in found:
                made[name] = found[name].read_bytes()
    except OSError as error:
        raise CannotUse(f"cannot read {error.filename}: {error.strerror}") from None
    tests = [found[name] for name in _TESTS if name in found]
    if len(tests) != 1:
        raise CannotUse(
            f"{folder} has {len(tests)} files of tests; a bundle brings one: tests.yaml"
        )
    document = read(str(tests[0]))
    raise_if_bad(document)
    made[TESTS] = msgspec.json.encode(document.data, order="deterministic")
    return made


def bundle_of(source: str) -> "Bundle":
    """The bundle in a file or a registry; ends the command if there is none or it is damaged."""
    from flyball.authority.bundles.archive import BundleError
    from flyball.authority.bundles.bundle import decode
    from flyball.serve.bundles.source import fetch

    try:
        return decode(fetch(source))
    except BundleError as error:
        refuse(error)


def demands_of(
    signers: tuple[str, ...], least: int | None, tenant: str, trust: Path | None
) -> "Demands":
    """What the options want to be shown: NAME=KEY each, all of them unless `least` says."""
    from flyball.authority.bundles.vet import Demands
    from flyball.authority.revocation.signer import KeyTextError, read_key
    from flyball.ledger.note import NoteError
    from flyball.ledger.trust import parse_trust
    from flyball.serve.bundles.proven import checker

    known: dict[str, str] = {}
    for given in signers:
        name, equals, key = given.partition("=")
        if not equals or name in known:
            raise click.UsageError("--signer NAME=ed25519:…, each name once.")
        try:
            read_key(key)
        except KeyTextError as error:
            raise click.UsageError(f"--signer {name}: {error}.") from None
        known[name] = key
    if least is not None and least > len(known):
        raise click.UsageError(f"--least {least} of {len(known)} --signer cannot be met.")
    check = None
    if trust is not None:
        try:
            text = trust.read_text("utf-8")
            parse_trust(text)
        except (OSError, UnicodeDecodeError, NoteError) as error:
            raise CannotUse(f"{trust} is no trust policy: {error}") from None
        check = checker(text)
    count = len(known) if least is None else least
    return Demands(signers=known, least=count, tenant=tenant, check_proof=check)


def write(path: Path, data: bytes) -> None:
    """Replace a file, whole. CannotUse if it cannot be written."""
    from flyball.serve.durable import replace_durably

    try:
        replace_durably(path.absolute(), data)
    except OSError as error:
        raise CannotUse(f"cannot write {path}: {error.strerror or error}") from None


def summary(bundle: "Bundle") -> dict[str, Any]:
    """What a bundle says of itself, unjudged."""
    from flyball.authority.bundles.dsse import Envelope

    keys: list[str] = []
    if bundle.envelope:
        try:
            found = msgspec.json.decode(bundle.envelope, type=Envelope)
            keys = [one.keyid for one in found.signatures]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            keys = ["something that is no envelope"]
    return {
        "digest": bundle.digest,
        "manifest": msgspec.to_builtins(bundle.manifest),
        "files": {name: len(data) for name, data in bundle.content.items()},
        "signed_by": keys,
        "is_logged": bool(bundle.proof),
    }


def refuse(error: "BundleError") -> NoReturn:
    """One line, the next step, and 1 (2 where nothing could be read)."""
    click.echo(f"{error.code}: {error}", err=True)
    if error.next_step:
        click.echo(f"    {error.next_step}", err=True)
    raise click.exceptions.Exit(2 if error.code in ("unreachable", "no_bundle") else 1)


def now(at: str | None) -> float:
    """Unix time of --at, else the clock's."""
    from flyball.authority.bundles.archive import BundleError
    from flyball.authority.bundles.bundle import instant

    if at is None:
        return time.time()
    try:
        return instant(at)
    except BundleError as error:
        raise click.UsageError(f"--at {error}. {error.next_step}") from None
