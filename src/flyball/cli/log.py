"""`flyball log`: how do records leave for other tools, and texts come under what it commits to?"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from flyball.ledger.note import NoteError, Signer
from flyball.ledger.record import RecordError, decode
from flyball.ledger.tiles import TileError
from flyball.ledger.tree import ProofError
from flyball.serve.log.reader import LogReader, open_log
from flyball.serve.log.writer import LedgerError

if TYPE_CHECKING:
    from flyball.serve.log.vault import Part

_FAULTS = (LedgerError, RecordError, NoteError, TileError, ProofError)
_LOG = click.option(
    "--log", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("ledger"),
    show_default=True, metavar="DIR", help="The log's folder; a gateway may be writing it.",
)  # fmt: skip
_VAULT = [
    click.option("--subject", required=True, help="Whom the text is about."),
    click.option(
        "--vault", type=click.Path(path_type=Path, file_okay=False), default=Path("vault"),
        show_default=True, metavar="DIR", help="The folder of keys and sealed texts.",
    ),
    click.option(
        "--master", type=click.Path(path_type=Path, dir_okay=False), required=True,
        metavar="FILE", help="The master key (`flyball erase --new-master FILE`).",
    ),
    click.option(
        "--part", type=click.Choice(["prompt", "answer"]), default="prompt", show_default=True
    ),
]  # fmt: skip


@click.group("log")
def command() -> None:
    """Export a log in other formats; seal and open texts that it commits to."""


@click.command("export")
@_LOG
@click.option(
    "--format", "form", type=click.Choice(["cloudevents", "scitt"]), default="cloudevents",
    show_default=True, help="JSON lines on stdout, or a statement with receipt per file.",
)  # fmt: skip
@click.option("--from-index", default=0, type=click.IntRange(min=0), metavar="INDEX")
@click.option("--id", "record_id", metavar="ID", help="The records of this id alone.")
@click.option(
    "--key", "key_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="scitt: the log's signing key.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("scitt"),
    show_default=True, metavar="DIR", help="scitt: where the statements go.",
)  # fmt: skip
def export(
    folder: Path,
    form: str,
    from_index: int,
    record_id: str | None,
    key_file: Path | None,
    out: Path,
) -> None:
    """Export records: CloudEvents 1.0 as JSON lines, or SCITT statements with receipts (RFC 9942).

    Exit codes: 0 done, 1 there was nothing to export, 2 it could not be carried out.
    """
    if form == "scitt" and key_file is None:
        raise click.UsageError("--format scitt signs with the log's key: give --key FILE.")
    try:
        log = open_log(folder)
        places = _places(log, from_index, record_id)
        if key_file is None:
            count = _as_events(log, places)
        else:
            out.mkdir(parents=True, exist_ok=True)
            count = _as_statements(log, places, Signer.parse(key_file.read_text()), out)
    except OSError as error:
        _fail(f"{error.filename or folder}: {error.strerror}.")
    except ModuleNotFoundError:
        _fail("SCITT needs an extra: pip install 'flyball[governance]'.")
    except _FAULTS as error:
        _fail(f"The log or the key: {str(error).rstrip('.')}.")
    click.echo(f"{count} records of {log.checkpoint.origin}", err=True)
    raise click.exceptions.Exit(0 if count else 1)


def _places(log: LogReader, start: int, record_id: str | None) -> Iterator[tuple[int, bytes]]:
    wanted = None if record_id is None else {found.index for found in log.find(record_id)}
    for run in log.runs(start):
        for index, entry in enumerate(run.entries(), run.first):
            if index >= start and (wanted is None or index in wanted):
                yield index, entry


def _as_events(log: LogReader, places: Iterator[tuple[int, bytes]]) -> int:
    from flyball.ledger.cloudevents import event_of

    count = 0
    for index, entry in places:
        count += 1
        event = event_of(log.checkpoint.origin, index, entry)
        sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
    return count


def _as_statements(
    log: LogReader, places: Iterator[tuple[int, bytes]], signer: Signer, out: Path
) -> int:
    from flyball.ledger.scitt import statement
    from flyball.ledger.verify import prove_entry

    if signer.key.name != log.checkpoint.origin:
        raise NoteError(f"the key is of {signer.key.name}, the log of {log.checkpoint.origin}")
    count = 0
    for index, entry in places:
        if index >= log.checkpoint.size:
            break  # newer than the checkpoint: not proven yet
        name = decode(entry).id
        proven = prove_entry(index, entry, log.checkpoint, log.read)
        (out / f"{index}.cose").write_bytes(statement(entry, name, proven, signer))
        count += 1
    return count


def _with_vault(function: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_VAULT):
        function = option(function)
    return function


@click.command("seal")
@_LOG
@click.argument("record_id", metavar="ID")
@_with_vault
@click.option(
    "--key", "keys", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="Key file with which that log signs; repeatable.",
)  # fmt: skip
def seal(
    folder: Path,
    record_id: str,
    subject: str,
    vault: Path,
    master: Path,
    part: "Part",
    keys: tuple[Path, ...],
) -> None:
    """Keep stdin, encrypted, as the prompt or answer of request ID, and commit to it in the log.

    No gateway may be writing that log meanwhile. Exit codes: 0 done, 2 it could not be.
    """
    import time

    from flyball.model.acts import Commitment
    from flyball.serve.log.signing import load_signing
    from flyball.serve.log.store import LedgerStore
    from flyball.serve.log.vault import Vault, month_of, read_master

    text, at = sys.stdin.buffer.read(), time.time()
    try:
        kept = Vault(vault, read_master(master))
        signing = load_signing([str(key) for key in keys], None)
        digest = kept.commit(subject, at, part, text)
        record = Commitment(
            id=record_id, at=at, subject=kept.tag(subject), month=month_of(at), is_sealed=True,
            prompt=digest if part == "prompt" else "", answer=digest if part == "answer" else "",
        )  # fmt: skip
        store = LedgerStore(folder, origin=signing.origin, signers=signing.signers)
        try:
            kept.seal(subject, at, record_id, part, text)
            store.append(record)
        finally:
            lost = store.close()
    except OSError as error:
        _fail(f"{error.filename or vault}: {error.strerror}.")
    except _FAULTS as error:
        _fail(str(error))
    if lost:
        _fail(f"{folder} took no record of it. Run it again.")
    click.echo(f"{part} {digest}")


@click.command("open")
@_LOG
@click.argument("record_id", metavar="ID")
@_with_vault
def unseal(
    folder: Path, record_id: str, subject: str, vault: Path, master: Path, part: "Part"
) -> None:
    """Write the prompt or answer of request ID to stdout, if it is what the log committed to.

    Exit codes: 0 done, 1 there is none, or it is not what was committed to, 2 not readable.
    """
    from flyball.model.acts import Commitment
    from flyball.serve.log.vault import Vault, read_master

    try:
        found = [one.record for one in open_log(folder).find(record_id)]
        kept = Vault(vault, read_master(master))
        made = [one for one in found if isinstance(one, Commitment) and getattr(one, part)]
        if not made:
            raise RecordError(f"the log in {folder} commits to no {part} of {record_id}")
        text = kept.open(subject, made[-1].at, record_id, part)
        if kept.commit(subject, made[-1].at, part, text) != getattr(made[-1], part):
            raise RecordError("what is kept is not what the log committed to")
    except RecordError as error:
        _fail(str(error), 1)
    except (LedgerError, OSError) as error:
        _fail(str(error))
    sys.stdout.buffer.write(text)


for _one in (export, seal, unseal):
    command.add_command(_one)


def _fail(message: str, code: int = 2) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(code)
