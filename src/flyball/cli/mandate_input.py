"""How are limits, tokens and times given to `flyball mandate`, and what if they are wrong?

A token is never an argument: others on the machine could read it there. It comes from a file or
from stdin, and goes to stdout.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.oversight_call import fail

if TYPE_CHECKING:
    from flyball.authority.mandates.blocks import Limits

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SPAN = re.compile(r"(\d{1,9})([smhd])")
_MICRO_PER_USD = 1_000_000
_NAMES = (
    ("--operation", "operations", "May do only this."),
    ("--model", "models", "May use only this model."),
    ("--class", "classes", "May be only of this class."),
    ("--data-class", "data_classes", "May carry only data of this class."),
    ("--jurisdiction", "jurisdictions", "May run only there."),
)
TOKEN_CHARS_MAX = 65_536
EXTRA = "this needs more than the base install: pip install 'flyball[serve]'."


def limits_options(command: Callable[..., None]) -> Callable[..., None]:
    """What may be limited, each repeatable where it is a set."""
    made = [
        click.option(flag, name, multiple=True, help=f"{text} Repeatable.")
        for flag, name, text in _NAMES
    ]
    made += [
        click.option("--budget-usd", type=click.FloatRange(min=0), help="All spent under it."),
        click.option("--depth", type=click.IntRange(0, 7), help="Further delegations."),
        click.option("--autonomy", type=click.IntRange(0, 9), help="Most autonomy of an agent."),
        click.option("--policy", default="", help="Digest (sha256:…) of the only bundle."),
        click.option("--for", "life", default="", help="How long it holds: 90m, 8h, 30d."),
    ]
    for one in reversed(made):
        command = one(command)
    return command


def limits_of(given: dict[str, Any], at: float, life: str) -> "Limits":
    """The limits among a command's parameters (`depth` is left to the caller)."""
    from flyball.authority.mandates.blocks import Limits

    budget = given["budget_usd"]
    names: dict[str, Any] = {name: tuple(given[name]) for _, name, _ in _NAMES}
    return Limits(
        **names,
        budget_micro_usd=None if budget is None else round(budget * _MICRO_PER_USD),
        autonomy=given["autonomy"],
        policy_digest=given["policy"],
        expires_at=at + seconds_of(life) if life else None,
    )


def seconds_of(text: str) -> float:
    """`90m` -> 5400."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise click.UsageError(f"{text!r} is no span of time: 30s, 90m, 8h or 30d.")
    return int(found[1]) * _UNITS[found[2]]


def token_from(path: Path) -> str:
    """The token in a file, or on stdin for `-`."""
    if str(path) == "-":
        return sys.stdin.read(TOKEN_CHARS_MAX).strip()
    return read_file(path).decode("utf-8", "replace").strip()


def read_file(path: Path) -> bytes:
    """A file's bytes; ends the command with code 2 if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(TOKEN_CHARS_MAX)
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.", 2)


def write_secret(path: Path, text: str) -> None:
    """A new file that only its owner reads."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        fail(f"{path} is there already: give another name.", 2)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.", 2)
    with open(file, "w") as out:
        out.write(text + "\n")


@contextmanager
def faults() -> Iterator[None]:
    """A refusal becomes one line and code 1; what is missing or unreachable, code 2."""
    from flyball.authority.mandates.refusals import MandateError

    try:
        yield
    except MandateError as error:
        fail(f"{error.code}: {error.detail}.", 1)
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed; {EXTRA}", 2)
    except OSError as error:
        fail(f"{error}.", 2)
