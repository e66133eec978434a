"""`flyball verify`: is this log what it claims, by files and public keys alone?"""

from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from flyball.cli.verify_proofs import ENDING, judge_proof, write_proofs
from flyball.ledger.note import NoteError, VerifierKey
from flyball.ledger.record import RecordError
from flyball.ledger.tiles import Read, TileError
from flyball.ledger.tree import ProofError
from flyball.ledger.trust import NO_QUORUM, Judged, Trust, parse_trust, trust_of
from flyball.ledger.verify import Inclusion, Report, check_log
from flyball.serve.log.audit import audit_folder
from flyball.serve.log.reader import files_in, minimum_in
from flyball.serve.log.remote import RemoteLog
from flyball.serve.log.writer import LedgerError

_SHOWN_OPEN = 5


@click.command("verify")
@click.argument("log", metavar="FOLDER|URL|PROOF")
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="A key of the log; repeatable.")
@click.option(
    "--witness-key", "witness_keys", multiple=True, metavar="VKEY",
    help="A witness's key; repeatable.",
)  # fmt: skip
@click.option(
    "--quorum", type=click.IntRange(min=0), metavar="K",
    help="How many of the witnesses must have cosigned (default: more than half).",
)  # fmt: skip
@click.option(
    "--trust", "policy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="A C2SP tlog-policy with all keys and the quorum, instead of the three above.",
)  # fmt: skip
@click.option(
    "--older", "older", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="A checkpoint kept from earlier, which the log must extend; repeatable.",
)  # fmt: skip
@click.option(
    "--id", "record_ids", multiple=True, metavar="ID",
    help="A record that must be in the log; repeatable.",
)  # fmt: skip
@click.option(
    "--proofs", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write a proof file of each record named by --id there.",
)  # fmt: skip
@click.option(
    "--pruned-below", default=0, type=click.IntRange(min=0), metavar="INDEX",
    help="Accept that entries below this index were removed after their retention.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    log: str,
    keys: tuple[str, ...],
    witness_keys: tuple[str, ...],
    quorum: int | None,
    policy: Path | None,
    older: tuple[Path, ...],
    record_ids: tuple[str, ...],
    proofs: Path | None,
    pruned_below: int,
    output: str,
) -> None:
    """Verify a log offline: signatures, quorum, every entry and tile, every request's story.

    Only public keys and files are needed, no gateway. A file PROOF.tlog-proof (C2SP tlog-proof) is
    verified alone, without the log. Exit codes: 0 nothing is wrong, 1 something
    is (each problem on a line), 2 the log or a key could not be read.
    """
    try:
        trust = _trust(keys, witness_keys, quorum, policy)
        if log.endswith(ENDING):
            _verify_proof(Path(log), trust, output)
        kept = [path.read_bytes().decode() for path in older]
        read, folder = _source(log)
        report = check_log(
            read, trust, older=kept, record_ids=record_ids, pruned_below=pruned_below
        )
        problems, remarks = audit_folder(folder) if folder else ([], [])
        problems += _pruned(read, pruned_below)
        if proofs is not None and report.is_sound and not problems:
            for path in write_proofs(report, read, proofs):
                click.echo(f"wrote {path}", err=True)
    except OSError as error:
        _fail(f"{error.filename or log} cannot be read: {error.strerror or error}.")
    except (LedgerError, NoteError, TileError, UnicodeDecodeError) as error:
        text = str(error).rstrip(".")
        _fail(text if isinstance(error, LedgerError) else f"The log or a key given: {text}.")
    if trust is None:
        click.echo("No --key was given: whose log this is was not checked.", err=True)
    told = _told(report, trust, [*report.problems, *problems], remarks)
    told["problems_count"] = report.problems_count + len(problems)
    told["ok"] = not told["problems_count"]
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        _print(told)
    raise click.exceptions.Exit(0 if told["ok"] else 1)


def _verify_proof(path: Path, trust: Trust | None, output: str) -> NoReturn:
    if trust is None:
        raise click.UsageError("A proof is worth what its signatures are: give --key or --trust.")
    try:
        told = judge_proof(path, trust)
    except (ProofError, RecordError, NoteError) as error:
        told = {"ok": False, "problems": [f"{error}."]}
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    elif told["ok"]:
        click.echo(f"record    entry {told['index']} of {told['origin']} at {told['size']} entries")
        click.echo(f"signed    {', '.join(told['signed_by'])}")
        click.echo(f"cosigned  {', '.join(told['cosigned_by']) or 'not asked for'}")
        click.echo(msgspec.json.encode(told["record"]).decode())
    else:
        click.echo(f"PROBLEM   {told['problems'][0]}")
    raise click.exceptions.Exit(0 if told["ok"] else 1)


def _trust(
    keys: tuple[str, ...], witness_keys: tuple[str, ...], quorum: int | None, policy: Path | None
) -> Trust | None:
    if policy is not None:
        if keys or witness_keys or quorum is not None:
            raise click.UsageError("Give --trust, or --key, --witness-key and --quorum.")
        return parse_trust(policy.read_bytes().decode())
    if not keys:
        if witness_keys or quorum is not None:
            raise click.UsageError("Witnesses vouch for a log's key: give --key too.")
        return None
    logs = [VerifierKey.parse(text) for text in keys]
    witnesses = [VerifierKey.parse(text) for text in witness_keys]
    majority = len(witnesses) // 2 + 1 if witnesses else 0
    return trust_of(logs, witnesses, majority if quorum is None else quorum)


def _source(log: str) -> tuple[Read, Path | None]:
    if log.startswith(("http://", "https://")):
        return RemoteLog(log).read, None
    return files_in(Path(log)), Path(log)


def _pruned(read: Read, accepted: int) -> list[str]:
    minimum = minimum_in(read)
    if minimum <= accepted:
        return []
    return [
        f"The log says that entries below {minimum} were pruned: if that is as agreed, accept it "
        f"with --pruned-below {minimum}."
    ]


def _told(
    report: Report, trust: Trust | None, problems: list[str], remarks: list[str]
) -> dict[str, Any]:
    return {
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "signed_by": [one.key.name for one in report.signed.logs] if report.signed else [],
        "quorum": trust.rule() if trust and trust.quorum != NO_QUORUM else None,
        "cosigned": _cosigned(report.cosigned) if report.cosigned else None,
        "open_intents": report.open_intents,
        "found": {name: [_inclusion(one) for one in all_] for name, all_ in report.found.items()},
        "problems": problems,
        "remarks": remarks,
    }


def _cosigned(found: Judged) -> dict[str, Any]:
    return {
        "size": found.checkpoint.size,
        "by": {one.key.name: one.at for one in found.cosigned},
    }


def _inclusion(one: Inclusion) -> dict[str, Any]:
    return {
        "index": one.index,
        "leaf": one.leaf.hex(),
        "proof": [sibling.hex() for sibling in one.proof],
    }


def _print(told: dict[str, Any]) -> None:
    click.echo(f"log       {told['origin']}, {told['size']} entries, root {told['root']}")
    click.echo(f"signed    {', '.join(told['signed_by']) or 'not checked'}")
    if told["quorum"]:
        by = told["cosigned"]
        names = ", ".join(by["by"]) if by else "nobody"
        click.echo(
            f"cosigned  {by['size'] if by else 0} entries by {names}; asked {told['quorum']}"
        )
    for name, found in told["found"].items():
        places = ", ".join(str(one["index"]) for one in found) or "none"
        click.echo(f"record    {name}: entries {places}, proven")
    if still := told["open_intents"]:
        more = ", …" if len(still) > _SHOWN_OPEN else ""
        shown = ", ".join(still[:_SHOWN_OPEN])
        click.echo(f"open      {len(still)} requests without an outcome yet: {shown}{more}")
    for text in told["remarks"]:
        click.echo(f"remark    {text}")
    for text in told["problems"]:
        click.echo(f"PROBLEM   {text}")
    hidden = told["problems_count"] - len(told["problems"])
    if hidden:
        click.echo(f"PROBLEM   … and {hidden} more")
    click.echo("sound" if told["ok"] else f"NOT SOUND: {told['problems_count']} problems")


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(2)
