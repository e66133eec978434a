"""`flyball explain`: what does the log say of one request, and is that still what was written?"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from flyball.ledger.behalf import acts_about
from flyball.ledger.explain import Case, explain, text_lines
from flyball.ledger.record import is_about
from flyball.ledger.section import Section, Table
from flyball.ledger.tiles import TileError
from flyball.ledger.tree import ProofError
from flyball.model.decision import Feasibility, Intent, Outcome, Record, TurnedAway, Warrant
from flyball.serve.log.reader import Found, LogReader, open_log
from flyball.serve.log.writer import LedgerError

# The kinds of acts that an intent's authority is made of.
RARE = ("mandate", "revocation", "bundle")


@click.command()
@click.argument("record_id", metavar="ID", required=False)
@click.option(
    "--log",
    "folders",
    default=(Path("ledger"),),
    show_default="ledger",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The log's folder (ledger.folder of the fleet file); a gateway may be writing it. "
    "Repeatable: one for each jurisdiction.",
)
@click.option("--last", is_flag=True, help="The newest decision instead of an ID.")
@click.option("--last-refused", is_flag=True, help="The newest refusal instead of an ID.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    record_id: str | None,
    folders: tuple[Path, ...],
    last: bool,
    last_refused: bool,
    output: str,
) -> None:
    """Say why a request was placed, held or refused, price by price, and on whose behalf.

    ID is the value of the x-flyball-request-id response header.
    """
    if (record_id is not None) + last + last_refused != 1:
        raise click.UsageError("Give one of: an ID, --last, --last-refused.")
    where = ", ".join(map(str, folders))
    try:
        logs = [open_log(folder) for folder in folders]
        record_id = record_id or _newest(logs, last_refused)
        case = case_of(logs, record_id) if record_id else None
    except LedgerError as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(f"The log in {where} cannot be read: {error.strerror} ({error.filename}).", 2)
    except (ProofError, TileError) as error:
        _fail(
            f"The log in {where} is not what its checkpoint claims: {error}. "
            "Somebody changed it, or the disk did; do not rely on it.",
            1,
        )
    if not record_id:
        _fail(f"The log in {where} holds no such decision yet.", 1)
    if case is None:
        _fail(_unknown(logs, where, record_id), 1)
    sections = explain(case)
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(_as_json(case, sections))))
    elif sys.stdout.isatty():
        _print_rich(sections)
    else:
        click.echo("\n".join(text_lines(sections)))


def _newest(logs: Sequence[LogReader], is_refused: bool) -> str | None:
    def wanted(record: Record) -> bool:
        if isinstance(record, TurnedAway):
            return True
        if isinstance(record, Outcome) and record.outcome == "refused":
            return True
        return isinstance(record, Intent) and not is_refused

    found = [item.record for log in logs if (item := log.newest(wanted)) is not None]
    return max(found, key=lambda record: record.at).id if found else None


def case_of(logs: Sequence[LogReader], record_id: str) -> Case | None:
    """All that these logs tell of one id; None if it is in none of them."""
    placed = [(log, item) for log in logs for item in log.find(record_id)]
    placed.sort(key=lambda one: one[1].record.at)
    own = [(log, item) for log, item in placed if is_about(item.record, record_id)]
    if not own:
        return None
    proofs = [proof for log, item in own if (proof := log.prove(item)) is not None]
    case = Case(
        id=record_id,
        records=tuple(item.record for _, item in own),
        retries=tuple(one[1].record for one in placed if one not in own),
        inclusions=tuple(proofs),
        unproven=len(own) - len(proofs),
    )
    return msgspec.structs.replace(
        case, feasibility=_feasibility(logs, case, own), authority=_authority(logs, case)
    )


def _feasibility(
    logs: Sequence[LogReader], case: Case, own: list[tuple[LogReader, Found]]
) -> Feasibility | None:
    """The record that its decision names: in its own log before it, else in another one."""
    name, (home, last) = case.named_feasibility, own[-1]
    if not name:
        return None
    found = [home.find_before(name, last.index)]
    found += [log.find_before(name, log.size) for log in logs if log is not home]
    for item in found:
        if item is not None and isinstance(item.record, Feasibility):
            return item.record
    return None


def _authority(logs: Sequence[LogReader], case: Case) -> tuple[Record, ...]:
    """Only where its last intent names a mandate or bundles are the logs searched for them."""
    last = case.intents[-1] if case.intents else None
    if last is None or not isinstance(last.warrant, Warrant):
        return ()
    acts = (found.record for log in logs for found in log.rare(RARE))
    return tuple(acts_about(last, acts))


def _unknown(logs: Sequence[LogReader], where: str, record_id: str) -> str:
    near = [name for log in logs for name in log.near(record_id)]
    hint = f" Nearest: {', '.join(near[:3])}." if near else ""
    return (
        f"{record_id!r} is not among the {sum(log.size for log in logs)} entries in {where}.{hint} "
        "`flyball explain --last` shows the newest decision."
    )


def _as_json(case: Case, sections: list[Section]) -> dict[str, Any]:
    return {
        "id": case.id,
        "records": case.records,
        "retries": case.retries,
        "feasibility": case.feasibility,
        "authority": case.authority,
        "inclusions": [
            {
                "index": proof.index,
                "origin": proof.checkpoint.origin,
                "size": proof.checkpoint.size,
                "root": proof.checkpoint.root.hex(),
                "leaf": proof.leaf.hex(),
                "proof": [sibling.hex() for sibling in proof.proof],
            }
            for proof in case.inclusions
        ],
        "explanation": sections,
    }


def _print_rich(sections: list[Section]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for section in sections:
        console.print(Text(section.heading, style="bold"))
        for line in section.lines:
            console.print(Text(f"  {line}"))
        if section.table is not None:
            console.print(_rich_table(section.table))


def _rich_table(table: Table) -> Any:
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(box=None, pad_edge=True)
    for number, name in enumerate(table.head):
        is_text = number == 0 or len(table.head) == 2
        shown.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for number, row in enumerate(table.rows):
        style = "bold green" if number == table.marked else ""
        shown.add_row(*(Text(cell) for cell in row), style=style)
    return shown


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(code)
