"""What is wrong in a fleet file, where exactly, whose word is it, and what is to be done?"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


class ConfigError(Struct, frozen=True, kw_only=True, order=True):
    """One fault of a configuration. `line` and `col` count from 1; 0 = not a place in the file.

    `source` is the file's path or the environment variable that set the value; `path` is the key
    path (`pools.edge.endpoints[0].url`, "" = the whole file); `snippet` is "" or the offending
    line with a caret under the place.
    """

    line: int = 0
    col: int = 0
    source: str
    path: str
    message: str
    next_step: str
    severity: Severity = "error"
    snippet: str = ""

    @property
    def place(self) -> str:
        """`file:line:col`, or the source alone when the value stands in no file."""
        return f"{self.source}:{self.line}:{self.col}" if self.line else self.source

    def __str__(self) -> str:
        key = f"{self.path}: " if self.path else ""
        text = f"{self.place}: {self.severity}: {key}{self.message}\n    {self.next_step}"
        return f"{text}\n{self.snippet}" if self.snippet else text


class ConfigErrors(Exception):
    """A fleet file can't come into force. `errors` holds every fault found, warnings included."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__(errors)
        self.errors = sorted(errors)

    def __str__(self) -> str:
        return "\n".join([*(str(error) for error in self.errors), tally(self.errors)])


def tally(errors: Iterable[ConfigError]) -> str:
    """`2 errors, 1 warning`."""
    found = list(errors)
    bad = sum(error.severity == "error" for error in found)
    return f"{count(bad, 'error')}, {count(len(found) - bad, 'warning')}"


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`, `2 classes`."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{'' if number == 1 else ending}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'? ` for the nearest known word (case aside), or "" when none is near."""
    by_fold = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"Did you mean {by_fold[near[0]]!r}? " if near else ""


def listed(words: Iterable[str], most: int = 12) -> str:
    """`'a', 'b', 'c'`, cut after `most` words; `(none)` when there are no words."""
    names = [repr(word) for word in words]
    if not names:
        return "(none)"
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
