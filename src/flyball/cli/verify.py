"""`flyball verify`: are these logs what they claim, by files and public keys alone?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from flyball.cli.file_shape import CannotUse
from flyball.cli.verify_output import print_told
from flyball.cli.verify_policy import read_library
from flyball.cli.verify_proofs import ENDING, judge_proof, write_proofs
from flyball.ledger.joint import Joint, judge_together
from flyball.ledger.note import NoteError, VerifierKey
from flyball.ledger.record import RecordError
from flyball.ledger.tiles import Read, TileError
from flyball.ledger.tree import ProofError
from flyball.ledger.trust import NO_QUORUM, Judged, Trust, parse_trust, trust_of
from flyball.ledger.verify import Inclusion, Report, check_log
from flyball.serve.log.audit import audit_folder
from flyball.serve.log.objects import SCHEMES, ObjectLog
from flyball.serve.log.reader import files_in, minimum_in
from flyball.serve.log.remote import RemoteLog
from flyball.serve.log.writer import LedgerError


@click.command("verify")
@click.argument("logs", metavar="FOLDER|URL|PROOF...", nargs=-1, required=True)
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
@click.option(
    "--bundle", "bundles", multiple=True, type=click.Path(path_type=Path, exists=True),
    metavar="FILE", help="A policy bundle, or a file or folder of Cedar policies: it is asked "
    "again what was asked then; repeatable.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    logs: tuple[str, ...],
    keys: tuple[str, ...],
    witness_keys: tuple[str, ...],
    quorum: int | None,
    policy: Path | None,
    older: tuple[Path, ...],
    record_ids: tuple[str, ...],
    proofs: Path | None,
    pruned_below: int,
    bundles: tuple[Path, ...],
    output: str,
) -> None:
    """Verify logs offline: signatures, quorum, every entry and tile, every request's story.

    Only public keys and files are needed, no gateway; a URL is http(s)://, s3://, gs://, az:// or
    file:///. Name all logs of a gateway (one for each jurisdiction) together: then it is also
    checked that no request is without a record, that each was placed by a mandate and bundles
    alive at that time, and that each decision follows from its prices. A file PROOF.tlog-proof
    (C2SP tlog-proof) is verified alone, without the log. Exit codes: 0 nothing is wrong, 1
    something is (each problem on a line), 2 a log or a key could not be read.
    """
    try:
        trust = _trust(keys, witness_keys, quorum, policy)
        if logs[0].endswith(ENDING):
            _verify_proof(Path(logs[0]), trust, output)
        kept = [path.read_bytes().decode() for path in older]
        sources = [_source(log) for log in logs]
        whole = [_Checked(source, trust, kept, record_ids, pruned_below) for source in sources]
        _excuse_elsewhere(whole)
        starts = [min(pruned_below, one.minimum) for one in whole]
        library = read_library(bundles) if bundles else None
        together = judge_together([read for read, _ in sources], starts, library)
        if proofs is not None and all(one.is_sound for one in whole):
            for one in whole:
                for path in write_proofs(one.report, one.read, proofs):
                    click.echo(f"wrote {path}", err=True)
    except OSError as error:
        _fail(f"{error.filename or logs[0]} cannot be read: {error.strerror or error}.")
    except CannotUse as error:
        _fail(f"{error}.")
    except (LedgerError, NoteError, TileError, UnicodeDecodeError) as error:
        text = str(error).rstrip(".")
        _fail(text if isinstance(error, LedgerError) else f"The log or a key given: {text}.")
    if trust is None:
        click.echo("No --key was given: whose log this is was not checked.", err=True)
    told = _all_told([one.told(trust) for one in whole], together)
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        print_told(told)
    raise click.exceptions.Exit(0 if told["ok"] else 1)


class _Checked:
    """One log by itself."""

    def __init__(
        self,
        source: tuple[Read, Path | None],
        trust: Trust | None,
        older: Sequence[str],
        record_ids: tuple[str, ...],
        pruned_below: int,
    ) -> None:
        self.read, folder = source
        self.report = check_log(
            self.read, trust, older=older, record_ids=record_ids, pruned_below=pruned_below
        )
        self.minimum = minimum_in(self.read)
        found, self.remarks = audit_folder(folder) if folder else ([], [])
        found += _pruned(self.read, pruned_below)
        self.problems = [*self.report.problems, *found]
        self.count = self.report.problems_count + len(found)

    @property
    def is_sound(self) -> bool:
        return not self.count

    def excuse(self, problem: str) -> None:
        """It is none, seen together with the other logs."""
        if problem in self.problems:
            self.problems.remove(problem)
            self.count -= 1

    def told(self, trust: Trust | None) -> dict[str, Any]:
        return _told(self.report, trust, self.problems, self.remarks) | {
            "problems_count": self.count,
            "ok": self.is_sound,
        }


def _excuse_elsewhere(whole: Sequence[_Checked]) -> None:
    """A record asked for stands in one of the logs, an older checkpoint is of one of them."""
    for one in whole:
        for name, places in one.report.found.items():
            if places:
                for other in whole:
                    other.excuse(f"No entry is about {name}.")


def _all_told(told: list[dict[str, Any]], together: Joint) -> dict[str, Any]:
    """One log: its own fields and what was found together; several: `logs` with each one's."""
    joint: dict[str, Any] = {"decisions": together.decisions}
    if together.policy:
        joint["policy"] = together.policy
    count = sum(one["problems_count"] for one in told) + together.problems_count
    if len(told) == 1:
        return (
            told[0]
            | joint
            | {
                "problems": [*told[0]["problems"], *together.problems],
                "remarks": [*told[0]["remarks"], *together.remarks],
                "problems_count": count,
                "ok": not count,
            }
        )
    return joint | {
        "logs": told,
        "problems": together.problems,
        "remarks": together.remarks,
        "problems_count": count,
        "ok": not count,
    }


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
    if log.startswith(SCHEMES):
        return ObjectLog(log).read, None
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


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(2)
