"""`flyball audit`: which evidence of a time, or of a person, can be handed to somebody outside?"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from flyball.ledger.evidence import Tally, ids_of, is_of
from flyball.ledger.note import NoteError, Signer, VerifierKey
from flyball.ledger.record import RecordError
from flyball.ledger.section import utc
from flyball.ledger.tiles import TileError
from flyball.ledger.tree import ProofError
from flyball.ledger.trust import parse_trust, trust_of
from flyball.serve.log.package import (
    README,
    RECORDS_MAX,
    check_package,
    checkpoints_of,
    proofs_of,
    write_package,
)
from flyball.serve.log.reader import Found, LogReader, open_log
from flyball.serve.log.report import as_html, as_pdf
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

_FAULTS = (LedgerError, NoteError, RecordError, TileError, ProofError)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("audit", invoke_without_command=True)
@click.option(
    "--log", "folders", multiple=True, default=(Path("ledger"),), show_default="ledger",
    type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="A log's folder; repeatable: one for each jurisdiction.",
)  # fmt: skip
@click.option("--from", "begin", metavar="TIME", help="UTC, such as 2026-11-01 or with THH:MM.")
@click.option("--to", "end", metavar="TIME", help="UTC; that moment itself is left out.")
@click.option("--subject", help="Only what is about this principal, person or commitment tag.")
@click.option("--key", "key_file", type=_FILE, metavar="FILE",
              help="The key that signs the package.")  # fmt: skip
@click.option("--trust", type=_FILE, metavar="FILE", help="Trust policy to put in (keys).")
@click.option("--bundle", "bundles", multiple=True, type=_FILE, metavar="FILE",
              help="A policy bundle to put in; repeatable.")  # fmt: skip
@click.option("--pdf/--no-pdf", default=True, show_default=True, help="The report on paper too.")
@click.option("--out", type=_FILE, default=Path("evidence.zip"), show_default=True)
@click.pass_context
def command(
    context: click.Context,
    folders: tuple[Path, ...],
    begin: str | None,
    end: str | None,
    subject: str | None,
    key_file: Path | None,
    trust: Path | None,
    bundles: tuple[Path, ...],
    pdf: bool,
    out: Path,
) -> None:
    """Put records with their proofs, keys, bundles and a report into one signed file.

    Exit codes: 0 made, 1 there is nothing of that time or subject, 2 it could not be made.
    """
    if context.invoked_subcommand is not None:
        return
    if key_file is None:
        raise click.UsageError("A package is signed: give --key FILE.")
    first, last = _moment(begin, float("-inf")), _moment(end, float("inf"))
    try:
        signer = Signer.parse(key_file.read_text())
        logs = [open_log(folder) for folder in folders]
        chosen = [_chosen(log, first, last, subject) for log in logs]
        tally = Tally()
        files = _evidence(logs, chosen, tally)
        files |= {f"bundles/{path.name}": path.read_bytes() for path in bundles}
        if trust is not None:
            files["keys/trust.policy"] = trust.read_bytes()
        facts = _facts(logs, begin, end, subject, signer)
        _report(files, facts, tally, pdf)
        if any(chosen):
            write_package(out, files, facts, signer)
    except OSError as error:
        _fail(f"{error.filename or out}: {error.strerror}.")
    except _FAULTS as error:
        _fail(f"The log or the key: {str(error).rstrip('.')}.")
    if not any(chosen):
        click.echo("nothing of that time or subject is in these logs", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"wrote {out}: {sum(map(len, chosen))} records", err=True)
    click.echo(signer.key.text())


@command.command("check")
@click.argument("package", type=_FILE)
@click.option("--key", "keys", multiple=True, required=True, metavar="VKEY",
              help="Who may have signed the package; repeatable.")  # fmt: skip
@click.option("--log-key", "log_keys", multiple=True, metavar="VKEY",
              help="A key of a log in it; repeatable.")  # fmt: skip
@click.option("--trust", "policy", type=_FILE, metavar="FILE",
              help="Trust policy with all keys and the quorum, instead of --log-key.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def check(
    package: Path,
    keys: tuple[str, ...],
    log_keys: tuple[str, ...],
    policy: Path | None,
    output: str,
) -> None:
    """Verify a package offline: its signature, every file, every record's proof.

    The keys must come from elsewhere than the package. Exit codes: 0 nothing is wrong, 1 something
    is, 2 it could not be read.
    """
    if bool(log_keys) == (policy is not None):
        raise click.UsageError("Give --log-key, or --trust.")
    try:
        if policy is not None:
            trust = parse_trust(policy.read_text())
        else:
            trust = trust_of([VerifierKey.parse(text) for text in log_keys], [], 0)
        found = check_package(package, [VerifierKey.parse(text) for text in keys], trust)
    except OSError as error:
        _fail(f"{error.filename or package} cannot be read: {error.strerror}.")
    except (LedgerError, NoteError) as error:
        _fail(f"{str(error).rstrip('.')}.")
    told = {"ok": not found.problems, **msgspec.to_builtins(found)}
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        click.echo(f"package   signed by {found.signed_by or 'nobody known'}")
        click.echo(f"records   {found.records}")
        for text in found.problems:
            click.echo(f"PROBLEM   {text}")
        click.echo("sound" if told["ok"] else f"NOT SOUND: {len(found.problems)} problems")
    raise click.exceptions.Exit(0 if told["ok"] else 1)


def _evidence(
    logs: Sequence[LogReader], chosen: Sequence[list[int]], tally: Tally
) -> dict[str, bytes]:
    files = {"README.txt": README.encode()}
    for number, (log, indices) in enumerate(zip(logs, chosen, strict=True)):
        files |= {f"logs/{number}/{name}": raw for name, raw in checkpoints_of(log).items()}
        for name, proof, record in proofs_of(log, indices):
            files[f"logs/{number}/{name}"] = proof
            tally.add(record)
    return files


def _chosen(log: LogReader, first: Seconds, last: Seconds, subject: str | None) -> list[int]:
    """Indices under the checkpoint of what was asked for; LedgerError if they are too many."""

    ids = (
        ids_of((found.record for found in _within(log, first, last)), subject)
        if subject
        else set[str]()
    )
    chosen = [
        found.index
        for found in _within(log, first, last)
        if subject is None or is_of(found.record, subject, ids)
    ]
    if len(chosen) > RECORDS_MAX:
        raise LedgerError(
            f"That is {len(chosen)} records, {RECORDS_MAX} is the most: narrow --from and --to."
        )
    return chosen


def _within(log: LogReader, first: Seconds, last: Seconds) -> Iterator[Found]:
    start = 0 if first == float("-inf") else log.index_at(first)
    for found in log.records(start):
        if found.index < log.checkpoint.size and first <= found.record.at < last:
            yield found


def _facts(
    logs: Sequence[LogReader], begin: str | None, end: str | None, subject: str | None, by: Signer
) -> dict[str, Any]:
    return {
        "made": utc(time.time()),
        "from": begin or "",
        "to": end or "",
        "subject": subject or "",
        "signer": by.key.name,
        "logs": [
            {
                "origin": log.checkpoint.origin,
                "size": log.checkpoint.size,
                "root": log.checkpoint.root.hex(),
            }
            for log in logs
        ],
    }


def _report(files: dict[str, bytes], facts: dict[str, Any], tally: Tally, pdf: bool) -> None:
    title = "Evidence of governed inference"
    shown = {name: str(value) for name, value in facts.items() if name != "logs" and value}
    for log in facts["logs"]:
        shown[f"log {log['origin']}"] = f"{log['size']} entries, root {log['root']}"
    shown["records"] = ", ".join(f"{n} {kind}" for kind, n in sorted(tally.kinds.items()))
    shown["people"] = ", ".join(sorted(tally.humans)) or "none named"
    rows = tally.rows()
    files["report.html"] = as_html(title, shown, rows).encode()
    if pdf:
        files["report.pdf"] = as_pdf(title, shown, rows)


def _moment(text: str | None, otherwise: Seconds) -> Seconds:
    if text is None:
        return otherwise
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"{text!r} is no time: give 2026-11-01, 2026-11-01T12:30 or with +00:00."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(2)
