"""What is a case of a conformance suite, and what does a suite see of the folder it reads?"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct


class Case(Struct, frozen=True):
    """One judged case: where it stands, and what is wrong ("" = it passed)."""

    name: str
    problem: str = ""


class Folder(Struct, frozen=True):
    """The files of a folder: sorted paths with slashes, and their bytes."""

    paths: tuple[str, ...]
    read: Callable[[str], bytes]

    def documents(self) -> Iterator[tuple[str, Any]]:
        """Each JSON file with what it holds; one that cannot be parsed holds the error."""
        for path in self.paths:
            if path.endswith(".json"):
                try:
                    yield path, json.loads(self.read(path))
                except (ValueError, RecursionError) as error:
                    yield path, error


def expected(name: str, must_hold: bool, judge: Callable[[], object]) -> Case:
    """Passed if `judge` raises ValueError exactly when the case must not hold."""
    try:
        judge()
    except (ValueError, OverflowError) as error:
        return Case(name, f"refused, but it is valid: {error}" if must_hold else "")
    return Case(name, "" if must_hold else "accepted, but it is not valid")
