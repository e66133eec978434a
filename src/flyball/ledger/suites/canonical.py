"""Is JSON brought into the form that the vectors of RFC 8785 show?

The layout is cyberphone/json-canonicalization's `testdata`: `input/NAME.json` with its canonical
form in `output/NAME.json` or, as hex, in `outhex/NAME.txt`; and files of numbers, whose lines are
`hex of a double,what it is written as`, each a case.
"""

import re
import struct
from collections.abc import Iterator

from flyball.ledger.suites.cases import Case, Folder
from flyball.signing.jcs import JcsError, canonicalize, number

_NUMBER_LINE = re.compile(rb"([0-9a-fA-F]{1,16}),(\S*)\r?\n?")


def jcs_cases(folder: Folder) -> Iterator[Case]:
    """A case per input that has an output, and one per number."""
    for path in folder.paths:
        base, slash, name = path.rpartition("input/")
        if slash and name.endswith(".json"):
            for place in (f"{base}output/{name}", f"{base}outhex/{name[:-5]}.txt"):
                if place in folder.paths:
                    yield _text_case(folder, path, place)
        elif path.endswith((".txt", ".csv")) and "/outhex/" not in f"/{path}":
            yield from _number_cases(path, folder.read(path))


def _text_case(folder: Folder, path: str, place: str) -> Case:
    wanted = folder.read(place)
    if place.endswith(".txt"):
        wanted = bytes.fromhex(wanted.decode())
    try:
        found = canonicalize(folder.read(path))
    except JcsError as error:
        return Case(f"{path} -> {place}", f"refused: {error}")
    return Case(f"{path} -> {place}", "" if found == wanted else f"it becomes {found!r}")


def _number_cases(path: str, raw: bytes) -> Iterator[Case]:
    for place, line in enumerate(raw.splitlines(), 1):
        match = _NUMBER_LINE.fullmatch(line)
        if match is None:  # it is a file of something else
            return
        (value,) = struct.unpack(">d", bytes.fromhex(match[1].decode().zfill(16)))
        try:
            found = number(value)
        except JcsError as error:
            found = str(error)
        is_so = found == match[2].decode(errors="replace")
        yield Case(f"{path}: line {place}", "" if is_so else f"{value!r} becomes {found}")
