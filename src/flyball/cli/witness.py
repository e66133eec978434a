"""`flyball witness`: how does somebody vouch that a log never forgets and never forks?"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

import click

from flyball.ledger.note import COSIGNATURE, ED25519, NoteError, Signer, VerifierKey
from flyball.ledger.trust import TrustError, trust_of

_KINDS = {"witness": COSIGNATURE, "log": ED25519}
_PRIVATE = 0o077


@click.command("witness")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option(
    "--key", "key_files", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="The witness's signing key; several = old and new, while a key rotates.",
)  # fmt: skip
@click.option(
    "--log-key", "log_keys", multiple=True, metavar="VKEY",
    help="A key of a log to vouch for, named like its origin; repeatable.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8088, show_default=True, type=click.IntRange(0, 65535),
    help="Port to listen on; 0 = any free one.",
)  # fmt: skip
@click.option(
    "--new-key", metavar="NAME",
    help="Make a signing key of this name in the file given by --key, print its public half, end.",
)  # fmt: skip
@click.option(
    "--kind", type=click.Choice(list(_KINDS)), default="witness", show_default=True,
    help="With --new-key: a witness's key, or one for a log to sign its checkpoints.",
)  # fmt: skip
def command(
    folder: Path | None,
    key_files: tuple[Path, ...],
    log_keys: tuple[str, ...],
    host: str,
    port: int,
    new_key: str | None,
    kind: str,
) -> None:
    """Cosign the checkpoints of logs over HTTP (C2SP tlog-witness), remembering them in FOLDER.

    A checkpoint is cosigned only if it provably extends the one cosigned before. Prints the URL on
    stdout once it answers.
    """
    if new_key is not None:
        _make_key(new_key, key_files, _KINDS[kind])
        return
    if folder is None or not key_files or not log_keys:
        raise click.UsageError(
            "Give FOLDER, --key and --log-key. A key is made by `flyball witness --new-key NAME "
            "--key FILE`."
        )
    signers = [_signer(path) for path in key_files]
    logs: dict[str, list[VerifierKey]] = {}
    try:
        parsed = [VerifierKey.parse(text) for text in log_keys]
        trust_of(parsed, [one.key for one in signers], 0)
    except TrustError as error:
        _fail(f"The keys given: {error}.")
    except NoteError as error:
        _fail(f"--log-key: {error}.")
    for key in parsed:
        logs.setdefault(key.name, []).append(key)
    _serve(folder, signers, logs, host, port)


def _serve(
    folder: Path, signers: list[Signer], logs: dict[str, list[VerifierKey]], host: str, port: int
) -> None:
    from flyball.serve.witness.app import application, run
    from flyball.serve.witness.state import WitnessError, WitnessState

    try:
        state = WitnessState(folder, signers, logs, time.time)
    except WitnessError as error:
        _fail(str(error))

    def announce(url: str) -> None:
        for signer in signers:
            click.echo(f"cosigns as {signer.key.text()}", err=True)
        for origin in logs:
            click.echo(f"  {origin}: {state.sizes().get(origin, 0)} entries seen", err=True)
        click.echo(url)
        sys.stdout.flush()

    def tell(line: str) -> None:
        click.echo(f"flyball witness: {line}", err=True)

    app = application(state, [one.key for one in signers], tell)
    try:
        asyncio.run(run(app, host, port, announce))
    except OSError as error:
        _fail(
            f"cannot listen on {host}:{port}: {error.strerror or error}. "
            "Choose another --port or --host."
        )
    finally:
        state.close()


def _make_key(name: str, key_files: tuple[Path, ...], kind: int) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if len(key_files) != 1:
        raise click.UsageError("Name the file for the new key with --key FILE.")
    try:
        signer = Signer(name, Ed25519PrivateKey.generate(), kind)
        file = os.open(key_files[0], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except NoteError as error:
        _fail(f"--new-key: {error}.")
    except FileExistsError:
        _fail(f"{key_files[0]} is there already: a key is never written over.")
    except OSError as error:
        _fail(f"{key_files[0]} cannot be written: {error.strerror}.")
    with open(file, "w") as out:
        out.write(signer.private_text() + "\n")
    click.echo(signer.key.text())


def _signer(path: Path) -> Signer:
    try:
        mode = path.stat().st_mode
        signer = Signer.parse(path.read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"--key: {path} cannot be read: {getattr(error, 'strerror', None) or error}.")
    except NoteError as error:
        _fail(f"--key: {path}: {error}.")
    if mode & _PRIVATE:
        click.echo(f"flyball witness: others may read {path}: chmod 600 it", err=True)
    if signer.key.kind != COSIGNATURE:
        _fail(f"--key: {path} holds a log's key; a witness has one of its own (--new-key).")
    return signer


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(2)
