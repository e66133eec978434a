"""`flyball policy`: are these policies fit to come into force, and what do they say, and why?"""

from pathlib import Path
from typing import Any

import click
import msgspec

from flyball.cli.file_shape import CannotUse
from flyball.cli.policy_input import (
    read_cases,
    read_policies,
    read_question,
    read_recorded,
    recorded_question,
)

_FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE|DIR...", type=click.Path(path_type=Path)
)
_OUTPUT = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
_FLEET = click.option(
    "--fleet", "fleet", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The fleet file: what its classes and pools are.",
)  # fmt: skip


@click.group("policy")
def command() -> None:
    """Check, test, explain and compare policies written in Cedar.

    A policy set is one or several .cedar files and the entities.json that they speak of; a folder
    stands for those in it. The vocabulary is in docs/guide/policy.md.
    """


@command.command("check")
@_FILES
@_OUTPUT
def check(files: tuple[Path, ...], output: str) -> None:
    """Check policies against the schema: every fault with file:line:col.

    Exit codes: 0 they may come into force (remarks at most), 1 they may not, 2 a file cannot be
    read.
    """
    from flyball.authority.policy.facts import reads
    from flyball.authority.policy.source import PolicyErrors

    try:
        found = read_policies(files)
    except PolicyErrors as wrong:
        if output == "json":
            _print_json({"ok": False, "faults": wrong.faults, "remarks": []})
        else:
            click.echo(str(wrong))
            click.echo(f"{len(wrong.faults)} to correct", err=True)
        raise click.exceptions.Exit(1) from None
    static = sum(reads(rule.node).is_static for rule in found.rules)
    if output == "json":
        rules = [{"id": rule.id, "effect": rule.node.effect} for rule in found.rules]
        told = {"ok": True, "digest": found.digest, "policies": rules, "static": static}
        _print_json(told | {"faults": [], "remarks": found.remarks})
        return
    for remark in found.remarks:
        click.echo(f"remark: {remark}")
    click.echo(
        f"ok: {len(found.rules)} policies, {static} of them static; "
        f"{len(found.declared.parents)} entities; {found.digest}"
    )


@command.command("test")
@_FILES
@click.option(
    "--tests", "tests", multiple=True, metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Tests (YAML or JSON); repeatable. Default: tests.yaml or tests.json in the folders.",
)  # fmt: skip
@_OUTPUT
def test(files: tuple[Path, ...], tests: tuple[Path, ...], output: str) -> None:
    """Run policies' own tests: question, expected answer, determining policies.

    Exit codes: 0 all passed, 1 one failed or the policies have a fault, 2 a file cannot be read.
    """
    from flyball.authority.policy.cases import judge

    asked = _authority(files)
    judged = list(judge(asked, read_cases(files, tests)))
    failed = [one for one in judged if one.problems]
    if output == "json":
        _print_json({"passed": len(judged) - len(failed), "failed": len(failed), "cases": failed})
    else:
        for one in failed:
            click.echo(f"FAILED {one.case.name}")
            for problem in one.problems:
                click.echo(f"    {problem}")
        click.echo(f"{len(judged) - len(failed)} passed, {len(failed)} failed")
    raise click.exceptions.Exit(1 if failed else 0)


@command.command("explain")
@_FILES
@click.option(
    "--question", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="A question: YAML with the keys subject, circumstances and place.",
)  # fmt: skip
@click.option(
    "--set", "facts", multiple=True, metavar="KEY=VALUE",
    help="One fact, such as subject.data_class=personal or place.jurisdiction=US; repeatable.",
)  # fmt: skip
@click.option("--id", "record_id", metavar="ID", help="A recorded request, with --log and --fleet.")
@click.option(
    "--log", default=Path("ledger"), show_default=True, metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False), help="The log's folder.",
)  # fmt: skip
@_FLEET
@_OUTPUT
def explain(
    files: tuple[Path, ...],
    question: Path | None,
    facts: tuple[str, ...],
    record_id: str | None,
    log: Path,
    fleet: Path | None,
    output: str,
) -> None:
    """Say why a question is allowed or denied: which rule, which fact, who can change it.

    Exit codes: 0 it is allowed, 1 it is denied, 2 it could not be asked.
    """
    from flyball.authority.policy.explain import explain as explained
    from flyball.authority.policy.explain import lines

    asked = _authority(files)
    if record_id is not None:
        if question is not None or facts:
            raise click.UsageError("Give --id, or --question and --set.")
        at = recorded_question(log, _fleet(fleet), record_id)
    elif question is not None or facts:
        at = read_question(question, facts)
    else:
        raise click.UsageError("Give a question: --question, --set or --id.")
    told = explained(asked, *at)
    if output == "json":
        subject, circumstances, place = at
        asked_of = {"subject": subject, "circumstances": circumstances, "place": place}
        _print_json({"question": asked_of, "explanation": told})
    else:
        click.echo("\n".join(lines(told)))
    raise click.exceptions.Exit(0 if told.allowed else 1)


@command.command("diff")
@click.argument("old", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@click.option(
    "--records", required=True, metavar="DIR", help="The log to ask both about.",
    type=click.Path(path_type=Path, file_okay=False),
)  # fmt: skip
@click.option(
    "--since", type=float, default=0.0, metavar="SECONDS", show_default="all",
    help="Only records of so many seconds before the newest.",
)  # fmt: skip
@_FLEET
@_OUTPUT
def diff(
    old: Path, new: Path, records: Path, since: float, fleet: Path | None, output: str
) -> None:
    """What the NEW policies would newly allow or deny of what is on record, against the OLD.

    Asks both about each recorded placement, and about each refusal by policy at every pool that
    serves its model. Exit codes: 0 nothing changes, 1 something does, 2 it could not be asked.
    """
    from flyball.authority.policy.compare import compare

    before, after = _authority((old,)), _authority((new,))
    recorded = read_recorded(records, _fleet(fleet), since)
    told = compare(before, after, recorded.questions())
    if output == "json":
        _print_json({"unknown": recorded.unknown, "comparison": told})
    else:
        for change in told.changes:
            where = f" at {change.place}" if change.place else ""
            by = ", ".join(change.policies) or "nothing permits it"
            click.echo(
                f"{change.direction:13}  {change.count:7}  {change.class_name}, {change.model}, "
                f"{change.principal}{where}: {by}"
            )
            click.echo(f"{'':24}such as {', '.join(change.examples)}")
        if told.unlisted:
            click.echo(f"and {told.unlisted} more")
        click.echo(
            f"{told.asked} requests asked: {told.newly_denied} newly denied, "
            f"{told.newly_allowed} newly allowed"
        )
    if recorded.unknown:
        click.echo(f"{recorded.unknown} left out: class or pool not in the fleet file.", err=True)
    click.echo("Records keep no approvals and no budgets: both were asked without.", err=True)
    raise click.exceptions.Exit(1 if told.newly_denied or told.newly_allowed else 0)


def _authority(files: tuple[Path, ...]) -> Any:
    from flyball.authority.policy.cedar import CedarAuthority
    from flyball.authority.policy.source import PolicyErrors

    try:
        return CedarAuthority((read_policies(files),))
    except PolicyErrors as wrong:
        click.echo(str(wrong), err=True)
        raise click.exceptions.Exit(1) from None


def _fleet(fleet: Path | None) -> Path:
    if fleet is None:
        raise CannotUse("records name classes and pools: give --fleet FILE, where they are written")
    return fleet


def _print_json(told: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
