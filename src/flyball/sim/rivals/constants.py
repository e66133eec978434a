"""Which constants does each rival ship with, in which unit, and out of which file of its source?

The values stand in `data/rivals.json`, each beside its source; a rival reads its own by name, and
`tuned` replaces single ones.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

Kind = Literal["router", "autoscaler", "power", "truncation", "retry"]


class Constant(Struct, frozen=True, forbid_unknown_fields=True):
    """One number; `source` names the file or paper it stands in, or begins with "assumed"."""

    name: str
    value: float
    unit: str
    source: str


class Rival(Struct, frozen=True, forbid_unknown_fields=True):
    """One product's loop: which version is described, and what is uncertain or simplified."""

    name: str
    kind: Kind
    title: str
    version: str
    note: str
    constants: tuple[Constant, ...]


@cache
def rivals() -> dict[str, Rival]:
    """Every rival by name; read once."""
    text = resources.files("flyball").joinpath("data", "rivals.json").read_bytes()
    return {rival.name: rival for rival in msgspec.json.decode(text, type=list[Rival])}


def constants(rival: str, tuned: Mapping[str, float] | None = None) -> dict[str, float]:
    """The rival's constants by name, with those of `tuned` in place of the published ones.

    Raises ValueError if there is no such rival, or `tuned` names a constant that it has not.
    """
    known = rivals().get(rival)
    if known is None:
        raise ValueError(f"no rival is named {rival!r}: there are {', '.join(rivals())}")
    values = {constant.name: constant.value for constant in known.constants}
    for name, value in (tuned or {}).items():
        if name not in values:
            listed = ", ".join(values) or "none"
            raise ValueError(f"{rival} has no constant {name!r}: there are {listed}")
        values[name] = value
    return values
