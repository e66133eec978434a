"""How does `flyball verify` tell people what it found?"""

from typing import Any

import click

_SHOWN_OPEN = 5
_WAYS = {
    "computed": "computed again",
    "drawn": "drawn among equals",
    "fallback": "by the safe rule (loads, not recorded)",
}


def print_told(told: dict[str, Any]) -> None:
    """Print the command's JSON as lines. One log or several under "logs"."""
    logs = told.get("logs", [told])
    for one in logs:
        _print_log(one)
        if one is not told:
            _print_problems(one)
    if ways := told["decisions"]:
        shown = ", ".join(f"{count} {_WAYS[way]}" for way, count in sorted(ways.items()))
        click.echo(f"decisions {sum(ways.values())}: {shown}")
    if again := told.get("policy"):
        click.echo(
            f"policy    asked again: {again['same']} answers are the same, {again['unlike']} "
            f"differ, of {again['absent']} the policies are not at hand"
        )
    _print_problems(told)
    hidden = told["problems_count"] - len(told["problems"])
    if told is not logs[0]:
        hidden -= sum(len(one["problems"]) for one in logs)
    if hidden > 0:
        click.echo(f"PROBLEM   … and {hidden} more")
    click.echo("sound" if told["ok"] else f"NOT SOUND: {told['problems_count']} problems")


def _print_log(told: dict[str, Any]) -> None:
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


def _print_problems(told: dict[str, Any]) -> None:
    for text in told["remarks"]:
        click.echo(f"remark    {text}")
    for text in told["problems"]:
        click.echo(f"PROBLEM   {text}")
