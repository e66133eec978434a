"""`flyball erase`: how are all prompts and answers of one subject made unreadable for ever?"""

import getpass
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from flyball.units import MS_PER_S

if TYPE_CHECKING:
    from flyball.model.acts import Erasure
    from flyball.serve.log.store import LedgerStore


@click.command("erase")
@click.option("--subject", help="Whose: as it was given when the texts were sealed.")
@click.option(
    "--vault", type=click.Path(path_type=Path, file_okay=False), default=Path("vault"),
    show_default=True, metavar="DIR", help="The folder of keys and sealed texts.",
)  # fmt: skip
@click.option(
    "--master", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The master key of the vault.",
)  # fmt: skip
@click.option(
    "--log", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("ledger"),
    show_default=True, metavar="DIR", help="The log that the erasure is recorded in.",
)  # fmt: skip
@click.option(
    "--key", "keys", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="Key file with which that log signs; repeatable.",
)  # fmt: skip
@click.option("--reason", default="", help="Why: it stands in the log.")
@click.option(
    "--new-master", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Make a master key in FILE, and end.",
)  # fmt: skip
def command(
    subject: str | None,
    vault: Path,
    master: Path | None,
    folder: Path,
    keys: tuple[Path, ...],
    reason: str,
    new_master: Path | None,
) -> None:
    """Destroy the keys of a subject's sealed prompts and answers, and record that it was done.

    What is in the log stays, and proves nothing about the person any more; the tree still
    verifies. No gateway may be writing the log meanwhile. Exit codes: 0 done, 1 there were no keys
    of that subject, 2 it could not be carried out: then run it again.
    """
    from flyball.serve.log.vault import Vault, read_master
    from flyball.serve.log.writer import LedgerError

    if new_master is not None:
        _make_master(new_master)
        return
    if subject is None or master is None:
        raise click.UsageError("Give --subject and --master.")
    try:
        kept = Vault(vault, read_master(master))
        store = _open_log(folder, keys)
        try:
            months = kept.erase(subject)
            if months:
                store.append(_erasure(kept.tag(subject), months, reason))
        finally:
            lost = store.close()
    except LedgerError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or vault}: {error.strerror}. Run it again.")
    if lost:
        _fail(f"The keys are destroyed, but {folder} took no record of it. Run it again.")
    if not months:
        click.echo(f"no keys of that subject in {vault}", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"destroyed the keys of {', '.join(months)} ({kept.tag(subject)})")


def _open_log(folder: Path, keys: tuple[Path, ...]) -> "LedgerStore":
    from flyball.serve.log.signing import load_signing
    from flyball.serve.log.store import LedgerStore

    signing = load_signing([str(key) for key in keys], None)
    return LedgerStore(folder, origin=signing.origin, signers=signing.signers)


def _erasure(tag: str, months: tuple[str, ...], reason: str) -> "Erasure":
    from flyball.model.acts import Erasure

    at = time.time()
    name = f"erasure_{int(at * MS_PER_S):011x}"
    return Erasure(id=name, at=at, subject=tag, months=months, by=getpass.getuser(), reason=reason)


def _make_master(path: Path) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        _fail(f"{path} is there already: a key is never written over.")
    except OSError as error:
        _fail(f"{path} cannot be written: {error.strerror}.")
    with open(file, "w") as out:
        out.write(os.urandom(32).hex() + "\n")


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(2)
