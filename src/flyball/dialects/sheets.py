"""Which accelerators, model shapes and engine efficiencies are known, and what are they?

The figures stand in `data/accelerators.json`, `data/models.json` (published configurations) and
`data/efficiency.json` (fitted; each entry says on what).
"""

from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import TypeVar

import msgspec

from flyball.model.hardware import Accelerator, Architecture, Efficiency

Sheet = TypeVar("Sheet")


@cache
def accelerators() -> dict[str, Accelerator]:
    """Every data sheet by name, such as "H100-SXM"; read once."""
    return {one.name: one for one in _read("accelerators.json", list[Accelerator])}


@cache
def architectures() -> dict[str, Architecture]:
    """Every model shape by name, such as "llama-3.1-8b"; read once."""
    return {one.name: one for one in _read("models.json", list[Architecture])}


@cache
def efficiencies() -> dict[str, Efficiency]:
    """What each engine reaches of a data sheet, by engine: "vllm", "sglang", "trtllm"."""
    return {one.engine: one for one in _read("efficiency.json", list[Efficiency])}


def named(known: dict[str, Sheet], name: str, noun: str) -> Sheet:
    """The entry of that name; ValueError with the nearest name if there is none."""
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
    raise ValueError(f"no {noun} is named {name!r}; {hint}")


def _read(file: str, kind: type[Sheet]) -> Sheet:
    return msgspec.json.decode(
        resources.files("flyball").joinpath("data", file).read_bytes(), type=kind
    )
